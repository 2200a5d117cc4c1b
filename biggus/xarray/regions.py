"""Regions: parts of what is written to, as wholes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Region:
    """A box of something that is assigned to, to be assigned to itself.

    Parameters
    ----------
    target : object
        Has ``__setitem__``.
    place : tuple of slice
        Where in it.
    shape : tuple of int
        The lengths of the box.
    lock : context manager
        Held while the target is assigned to.
    """

    def __init__(
        self,
        target: Any,
        place: tuple[slice, ...],
        shape: tuple[int, ...],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.target = target
        self.lock = lock
        self.starts = [s.start or 0 for s in place]
        self.shape = shape
        self.dtype = target.dtype

    def __setitem__(self, box: Any, values: Any) -> None:
        given = box if isinstance(box, tuple) else (box,)
        if given in ((), (...,)):
            given = tuple([slice(0, n) for n in self.shape])
        moved = tuple(
            [
                slice(start + s.start, start + s.stop)
                for start, s in zip(self.starts, given, strict=True)
            ]
        )
        with self.lock:
            self.target[moved] = values
