"""Granting room to a writer within the size limit, and evicting entries for it."""

from __future__ import annotations

from typing import NamedTuple

from biggus.cache.ledger import EVICTED_AT_ONCE, Ledger
from biggus.cache.pins import staying

CHUNKS, DESCRIPTIONS = 0, 1
"""The kinds of entries."""

_GRANT_MOST = 16_000_000
_GRANT_CHUNKS = 64
_SHARE = 64
"""A writer is granted this fraction (1/64) of the limit; all writers together at most 1/8."""
_DESCRIPTIONS_SHARE = 8
_SEEN_SHARE = 2
_SEEN_MOST = 1 << 15


class Room(NamedTuple):
    """The result of `make_room`.

    Attributes
    ----------
    granted : int
        The bytes that may be written once the files of evicted entries are removed.
    pending : int
        The bytes of these files.
    gone : tuple of list
        For each kind the evicted entries: key, bytes and last use of each.
    never : bool
        Whether there would not be enough room even if everything were evicted.
    more : bool
        Whether more entries must be evicted than could be at once.
    scarce : bool
        Whether evicting enough entries still left too little room, as the sums are wrong.
    full : bool
        Whether storing anything evicts something.
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
    unrecorded: int,
    need: int,
    *,
    known: bool,
    rounds: int,
) -> Room:
    """Make room for a writer, within a transaction of the ledger.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    writer : str
        The name of the writer.
    size_limit : int
        The most bytes on disk.
    unrecorded : int
        The bytes that the writer may write already.
    need : int
        The bytes of the entry that it needs room for; 0 if there is none.
    known : bool
        Whether the ledger knows all files in the folder; if not, nothing is granted.
    rounds : int
        The most rounds of evictions; one if a reader is waiting.
    """
    others = ledger.granted(writer)
    share = max(min(size_limit // _SHARE, _GRANT_MOST, size_limit // 8 - others), 0)
    want = max(need, min(share - unrecorded, _GRANT_CHUNKS * need)) if need else 0
    fixed = ledger.index_bytes() + others + unrecorded
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
        # Evicting did not free what the sums promised: the sums are wrong.
        known and bool(want) and room < need and not more and not never,
        over + share > 0,
    )


def seen_most(ledger: Ledger) -> int:
    """Return for how many keys not in the cache the last use is recorded, which takes room too."""
    entries, _ = ledger.counted(CHUNKS)
    return min(_SEEN_SHARE * entries, _SEEN_MOST)


def _bytes(entries: list[tuple[str, int, int]]) -> int:
    return sum(size for _, size, _ in entries)
