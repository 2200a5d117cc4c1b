"""Room: what a writer is granted within the limit, and what is evicted for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biggus.cache.ledger import EVICTED_AT_ONCE
from biggus.cache.pins import staying

if TYPE_CHECKING:
    from biggus.cache.ledger import Ledger

CHUNKS, DESCRIPTIONS = 0, 1
"""The kinds of what is kept."""

_GRANT_MOST = 16_000_000
_GRANT_CHUNKS = 64
_SHARE = 64
"""Of the limit, what one writer is granted; all together no more than an eighth."""
_DESCRIPTIONS_SHARE = 8
_SEEN_SHARE = 2
_SEEN_MOST = 1 << 15


class Room(NamedTuple):
    """What comes of a look for room.

    Attributes
    ----------
    granted : int
        Bytes that may be written once the files of what is gone are removed.
    pending : int
        Bytes that take up room until then.
    gone : tuple of list
        What was evicted of each kind: the key of each, its bytes, and when it was used.
    never : bool
        Whether there would be too little even if all went.
    more : bool
        Whether more has to go than went at once.
    scarce : bool
        Whether there is less than was needed though all that could be evicted was.
    full : bool
        Whether something goes for whatever is stored.
    """

    granted: int
    pending: int
    gone: tuple[list[tuple[str, int, int]], ...]
    never: bool
    more: bool
    scarce: bool
    full: bool


def make_room(
    ledger: Ledger,
    writer: str,
    size_limit: int,
    held: int,
    need: int,
    *,
    known: bool,
    rounds: int,
) -> Room:
    """Make room for what a writer needs on top of what it holds, within a transaction.

    Parameters
    ----------
    ledger : Ledger
    writer : str
        Its name.
    size_limit : int
        Bytes on disk that are never passed.
    held : int
        Bytes that it may write already.
    need : int
        Bytes of the one entry for which it waits; 0: it asks for none.
    known : bool
        Whether all that is in the folder is in the ledger; else nothing is granted.
    rounds : int
        How much may be evicted: whoever reads waits for no more than one.
    """
    others = ledger.granted(writer)
    share = max(min(size_limit // _SHARE, _GRANT_MOST, size_limit // 8 - others), 0)
    want = max(need, min(share - held, _GRANT_CHUNKS * need)) if need else 0
    fixed = ledger.index_bytes() + others + held
    _, described = ledger.counted(DESCRIPTIONS)
    descriptions = ledger.evict(DESCRIPTIONS, described - size_limit // _DESCRIPTIONS_SHARE)
    _, chunks = ledger.counted(CHUNKS)
    never = fixed + described + need > size_limit
    if never:
        want = 0
    over = fixed + described - _bytes(descriptions) + chunks + want - size_limit
    evicted = ledger.evict(CHUNKS, over, rounds)
    freed = _bytes(evicted)
    more = over > freed and len(evicted) == rounds * EVICTED_AT_ONCE
    if over > freed and not more:
        never |= fixed + described + staying(ledger) + need > size_limit
    room = want - max(over - freed, 0) if known else 0
    return Room(
        room if room >= need else 0,
        freed + _bytes(descriptions),
        (evicted, descriptions),
        never,
        more,
        # What cannot be had by evicting is not there: the sums are wrong.
        known and bool(want) and room < need and not more and not never,
        over + share > 0,
    )


def seen_most(ledger: Ledger) -> int:
    """Return of how many keys it is kept when they were last seen: it takes room itself."""
    entries, _ = ledger.counted(CHUNKS)
    return min(_SEEN_SHARE * entries, _SEEN_MOST)


def _bytes(gone: list[tuple[str, int, int]]) -> int:
    return sum(size for _, size, _ in gone)
