"""Pins in the ledger: chunks that are not evicted.  To be called within its transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from biggus.cache.ledger import PINNED, STAYS, Ledger
from biggus.errors import CacheError
from biggus.options import format_bytes

_MOST = 0.75
"""The share of the size limit that may be pinned."""


def pin(ledger: Ledger, sizes: Mapping[str, int], size_limit: int) -> None:
    """Pin chunks, stored already or later, given by key with their largest size in bytes.

    Raises
    ------
    CacheError
        If all pinned chunks may take more than three quarters of the limit.
    """
    keys = [(bytes.fromhex(key), size) for key, size in sizes.items()]
    ledger.run_many(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, 0)",
        [(PINNED, key, size) for key, size in keys],
    )
    total = pinned(ledger)
    if total > _MOST * size_limit:
        raise CacheError(
            f"the pinned chunks in {ledger.folder} would take {format_bytes(total)}, more than "
            f"three quarters of its size limit of {format_bytes(size_limit)}"
        )
    ledger.pins = True
    _use(ledger, [key for key, _ in keys], STAYS)


def unpin(ledger: Ledger, keys: Iterable[str]) -> None:
    """Unpin chunks, as if they were used just now."""
    freed = list(filter(ledger.is_pinned, map(bytes.fromhex, keys)))
    ledger.run_many("DELETE FROM entries WHERE kind=? AND key=?", [(PINNED, k) for k in freed])
    clock = ledger.counter("clock")
    _use(ledger, freed, clock)


def _use(ledger: Ledger, keys: Sequence[bytes], used: int) -> None:
    ledger.run_many(
        "UPDATE entries SET used=? WHERE kind=0 AND key=?", [(used, key) for key in keys]
    )


def pinned(ledger: Ledger) -> int:
    """Return the bytes that all pinned chunks may take."""
    ((size,),) = ledger.run("SELECT COALESCE(SUM(bytes), 0) FROM entries WHERE kind=?", PINNED)
    return int(size)


def staying(ledger: Ledger) -> int:
    """Return the bytes of the entries in the cache that are pinned."""
    sums = "SELECT COALESCE(SUM(bytes), 0) FROM entries WHERE kind=0 AND used>=?"
    ((size,),) = ledger.run(sums, STAYS) if ledger.pins else ((0,),)
    return int(size)
