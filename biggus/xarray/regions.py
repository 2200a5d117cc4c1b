"""Regions of targets, as targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Region:
    """A box of a target that can be assigned to like a target of its own.

    Parameters
    ----------
    target : object
        An object with ``__setitem__``.
    place : tuple of slice
        The box.
    shape : tuple of int
        The shape of the box.
    lock : context manager
        A lock that is held while assigning.
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
