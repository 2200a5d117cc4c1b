"""Pins: chunks that do not go for others, as the ledger has them.  Within its transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.cache.ledger import PINNED, STAYS
from biggus.errors import CacheError
from biggus.options import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biggus.cache.ledger import Ledger

_MOST = 0.75
"""Of the limit: the rest is for what comes and goes."""


def pin(ledger: Ledger, sizes: Mapping[str, int], size_limit: int) -> None:
    """Have chunks stay, now or once they are stored; each takes so many bytes at most.

    Raises
    ------
    CacheError
        If all that is pinned may take more than three quarters of the limit.
    """
    keys = [(bytes.fromhex(key), size) for key, size in sizes.items()]
    ledger.run_many(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, 0)",
        [(PINNED, key, size) for key, size in keys],
    )
    total = pinned(ledger)
    if total > _MOST * size_limit:
        raise CacheError(
            f"what is pinned in {ledger.folder} would take {format_bytes(total)}, more than three "
            f"quarters of its size limit of {format_bytes(size_limit)}"
        )
    ledger.pins = True
    _use(ledger, [key for key, _ in keys], STAYS)


def unpin(ledger: Ledger, keys: Iterable[str]) -> None:
    """Have chunks go like others, as if they had been used just now."""
    freed = list(filter(ledger.is_pinned, map(bytes.fromhex, keys)))
    ledger.run_many("DELETE FROM entries WHERE kind=? AND key=?", [(PINNED, k) for k in freed])
    ((clock,),) = ledger.run("SELECT clock FROM state")
    _use(ledger, freed, clock)


def _use(ledger: Ledger, keys: Sequence[bytes], used: int) -> None:
    ledger.run_many(
        "UPDATE entries SET used=? WHERE kind=0 AND key=?", [(used, key) for key in keys]
    )


def pinned(ledger: Ledger) -> int:
    """Return the bytes that all that is pinned may take."""
    ((size,),) = ledger.run("SELECT COALESCE(SUM(bytes), 0) FROM entries WHERE kind=?", PINNED)
    return int(size)


def staying(ledger: Ledger) -> int:
    """Return the bytes of the entries that are there and do not go."""
    sums = "SELECT COALESCE(SUM(bytes), 0) FROM entries WHERE kind=0 AND used>=?"
    ((size,),) = ledger.run(sums, STAYS) if ledger.pins else ((0,),)
    return int(size)
