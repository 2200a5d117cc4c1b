"""Tiles: they are requested, read by other threads, and kept while there is room.

The thread that draws calls all functions of this module.  The threads that read refer to the array
alone, and so keep no picture alive.  Tiles that they have read are collected at the next call.
"""

from __future__ import annotations

import contextvars
import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

import numpy as np

from biggus.options import set_options
from biggus.sources.base import Values
from biggus.support.threads import WaitingThreads, interruptible

READERS = 16
"""The most tiles that are read at once, for all pictures together."""

KEPT_BYTES = 64 * 2**20
"""The bytes of tiles that each picture keeps, besides those on the screen."""

PATIENCE_SECONDS = 0.02
"""How long an incomplete drawing waits for tiles, which may be cached."""

_readers = WaitingThreads(READERS)


Key = TypeVar("Key", bound=Hashable)


class Tiles(Generic[Key]):
    """The tiles of one picture, by keys of any kind.

    Reads use the options that were in force when the object was made.

    Attributes
    ----------
    failed : dict
        The errors of tiles that could not be read.  Such a tile is read again when its error has
        been removed.
    """

    def __init__(self) -> None:
        self.failed: dict[Key, Exception] = {}
        self._context = contextvars.copy_context()
        self._kept: OrderedDict[Key, Values] = OrderedDict()
        self._requested: dict[Key, Future[Values]] = {}
        self._process = os.getpid()
        weakref.finalize(self, _cancel, self._requested).atexit = False

    def __reduce__(self) -> tuple[type[Tiles[Key]], tuple[()]]:
        return type(self), ()  # a copy reads for itself

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the keys of tiles in memory."""
        return iter(list(self._kept))

    def __getitem__(self, key: Key) -> Values:
        """Return the values of a tile in memory."""
        self._kept.move_to_end(key)
        return self._kept[key]

    def ask(self, key: Key, read: Callable[[], Values]) -> None:
        """Start to read a tile, unless it is in memory, has failed or is being read."""
        if self._process != os.getpid():  # the threads that read stayed with the parent
            self._requested.clear()
            self._process = os.getpid()
        if key in self._kept or key in self.failed or key in self._requested:
            return
        self._requested[key] = _readers.submit(self._context.copy().run, _quietly, read)

    @property
    def waiting(self) -> bool:
        """Whether there are tiles that have not been collected."""
        return bool(self._requested)

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys of tiles that are still being read."""
        return [key for key in keys if key in self._requested]

    def collect(self, needed: Collection[Key] = ()) -> bool:
        """Collect the tiles that have been read; tell whether there are any.

        Parameters
        ----------
        needed : collection of keys, optional
            The tiles on the screen, which are never dropped.
        """
        ready = [key for key, future in self._requested.items() if future.done()]
        for key in ready:
            future = self._requested.pop(key)
            if future.cancelled():
                continue
            error = future.exception()
            if error is None:
                self._kept[key] = future.result()
            elif isinstance(error, Exception):
                self.failed[key] = error
            else:
                raise error
        self._drop(needed)
        return bool(ready)

    def wait(self, keys: Iterable[Key], seconds: float | None = None) -> None:
        """Wait until tiles have been read, or for some time."""
        futures = [self._requested[key] for key in keys if key in self._requested]
        with interruptible():
            wait(futures, seconds)

    def cancel(self, but: Collection[Key] = ()) -> None:
        """Cancel reads that have not started, except for some tiles."""
        for key in [key for key in self._requested if key not in but]:
            if self._requested[key].cancel():
                del self._requested[key]

    def clear(self) -> None:
        """Drop all tiles, and cancel reads."""
        self.cancel()
        self._requested.clear()
        self._kept.clear()
        self.failed.clear()

    def _drop(self, needed: Collection[Key]) -> None:
        total = sum(_nbytes(values) for key, values in self._kept.items() if key not in needed)
        for key in list(self._kept):
            if total <= KEPT_BYTES:
                return
            if key not in needed:
                total -= _nbytes(self._kept.pop(key))


def _quietly(read: Callable[[], Values]) -> Values:
    """Read without a progress bar, which would be shown for each tile."""
    with set_options(progress=False):
        return read()


def _nbytes(values: Values) -> int:
    mask = 0 if not isinstance(values, np.ma.MaskedArray) else np.ma.getmaskarray(values).nbytes
    return values.nbytes + mask


def _cancel(requested: dict[Any, Future[Values]]) -> None:
    for future in requested.values():
        future.cancel()
