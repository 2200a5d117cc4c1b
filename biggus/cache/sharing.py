"""The index that all caches of a folder share in a process, and its fate in forked children."""

from __future__ import annotations

import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from biggus.cache.claims import Claims
from biggus.cache.index import Index
from biggus.support.forks import between_forks, in_children

_indexes: weakref.WeakValueDictionary[tuple[Path, int, bool, bool], Index] = (
    weakref.WeakValueDictionary()
)
_claims: dict[Path, Claims] = {}
_lock = threading.Lock()
_abandoned: list[Any] = []


def shared_index(folder: Path, size_limit: int, admitting: bool, fsync: bool) -> Index:
    """Return the index of this process for a folder, size limit and policy."""
    key = folder, size_limit, admitting, fsync
    with _lock:
        index = _indexes.get(key)
        if index is None:
            index = _indexes[key] = Index(folder, size_limit, admitting=admitting, fsync=fsync)
        return index


def shared_claims(folder: Path) -> Claims:
    """Return the claims of this process in a folder."""
    with _lock:
        return _claims.setdefault(folder, Claims(folder))


def hold(cache: Any, index: Index) -> weakref.finalize[[Index, object], Any]:
    """Make an index end with the last of the caches that use it, or with the process."""
    holder = object()
    index.holders.add(holder)
    return weakref.finalize(cache, _let_go, index, holder)


def _let_go(index: Index, holder: object) -> None:
    index.holders.discard(holder)
    if not index.holders:
        index.end()
        # Without the lock: this may be a finalizer in a thread that holds it.
        claims = _claims.get(index.folder)
        if claims is not None:
            claims.close()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may have held it
    _lock = threading.Lock()
    for claims in _claims.values():
        claims.forked()
    for index in list(_indexes.values()):
        _abandoned.append(index.forked())
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # A worker of multiprocessing ends without running exit handlers.  It has its own,
            # which it clears after the fork, before it calls this.
            util.register_after_fork(index, _end_at_exit)


def _end_at_exit(index: Index) -> None:
    with between_forks():
        from multiprocessing.util import Finalize

    Finalize(index, index.end, exitpriority=1)


in_children(_after_fork)
