"""Sources for tests: they record reads, fail, wait, or must not be read."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.errors import format_box
from biggus.indexing.grid import Grid, Index
from biggus.sources.base import Box, Chunks, Source, Values
from biggus.sources.normal import normal_chunks, normal_shape
from biggus.sources.wrappers import Wrapper

Fault: TypeAlias = BaseException | type[BaseException] | Callable[[Values], Any]
"""An exception to raise, or a function that returns wrong values for the right ones."""


class _Counting(Wrapper):
    """A wrapper with a lock for its counters; the lock is not pickled."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._counting = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_counting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._counting = threading.Lock()


class RecordingSource(_Counting):
    """A source that records which boxes are read from another source.

    It is thread-safe.  A pickled copy continues with a copy of the records.

    Parameters
    ----------
    source : Source
        The source to read from.

    Attributes
    ----------
    boxes : list of tuple of slice
        The boxes that were read, in the order in which reads started.
    reads : int
        The number of plain reads, ``source[box]``.
    fetches : int
        The number of fetches, ``source.fetch(box)``.

    Examples
    --------
    >>> source = RecordingSource(ArraySource(np.arange(10), chunks=(4,)))
    >>> source[slice(5, 9, 1),]
    array([5, 6, 7, 8])
    >>> source.boxes, sorted(source.chunks_touched())
    ([(slice(5, 9, 1),)], [(1,), (2,)])
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.clear()

    def clear(self) -> None:
        """Clear the records."""
        with self._counting:
            self.boxes: list[Box] = []
            self.reads = self.fetches = 0

    def __getitem__(self, box: Box) -> Values:
        with self._counting:
            self.boxes.append(box)
            self.reads += 1
        return self.source[box]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        with self._counting:
            self.boxes.append(box)
            self.fetches += 1
        return self.source.fetch(box)

    def chunks_touched(self, chunks: Chunks | None = None) -> set[Index]:
        """Return the indices of the chunks that were read from.

        Parameters
        ----------
        chunks : tuple, optional
            The chunk grid; by default that of the source.

        Returns
        -------
        set of tuple of int
            The indices of the chunks.

        Raises
        ------
        ValueError
            If `chunks` is not given and the source has none.
        """
        chunks = self.chunks if chunks is None else chunks
        if chunks is None:
            raise ValueError(f"{self.name} has no chunks: pass a chunk grid")
        grid = Grid(self.shape, chunks)
        with self._counting:
            boxes = list(self.boxes)
        return {part.number for box in boxes for part in grid.parts(box)}


class FaultySource(_Counting):
    """A source whose reads fail, or return wrong values.

    Parameters
    ----------
    source : Source
        The source to read from.
    fault : exception or callable
        The exception to raise; or a function that takes the right values and returns wrong
        ones, such as `wrong_shape`, `wrong_dtype` or `garbage`.
    on : container of int or callable, optional
        The reads that fail: their numbers, from 0, or a function of the box.  By default, all.

    Attributes
    ----------
    reads : int
        The number of reads.

    Examples
    --------
    >>> source = FaultySource(ArraySource(np.arange(3)), OSError("unplugged"), on={1})
    >>> source[slice(0, 2, 1),]
    array([0, 1])
    >>> source[slice(0, 2, 1),]
    Traceback (most recent call last):
    OSError: unplugged
    """

    def __init__(
        self,
        source: Source,
        fault: Fault,
        on: Container[int] | Callable[[Box], bool] | None = None,
    ) -> None:
        super().__init__(source)
        self.fault = fault
        self.on = on
        self.reads = 0

    def _fails(self, box: Box) -> bool:
        with self._counting:
            number = self.reads
            self.reads += 1
        if self.on is None:
            return True
        return self.on(box) if callable(self.on) else number in self.on

    def _fail(self, box: Box) -> Any:
        if isinstance(self.fault, (BaseException, type)):
            raise self.fault
        return self.fault(self.source[box])

    def __getitem__(self, box: Box) -> Values:
        return self._fail(box) if self._fails(box) else self.source[box]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        if self._fails(box):
            # Through the default `fetch`, which checks the values.
            return _Broken(self).fetch(box)
        return self.source.fetch(box)


class _Broken(Wrapper):
    """A faulty source while a read fails."""

    source: FaultySource

    def __getitem__(self, box: Box) -> Values:
        return self.source._fail(box)  # type: ignore[no-any-return]  # noqa: SLF001

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        return Source.fetch(self, box)


def wrong_shape(values: Values) -> Values:
    """Return values with an additional axis; a `fault` of `FaultySource`."""
    return values[np.newaxis]


def wrong_dtype(values: Values) -> Values:
    """Return values of another dtype; a `fault` of `FaultySource`."""
    return values.astype("S3" if values.dtype != "S3" else "S4")


def garbage(values: Values) -> Any:
    """Return a text instead of an array; a `fault` of `FaultySource`."""
    return f"<html>not the {values.size} values that you want</html>"


class LatentSource(_Counting):
    """A source that waits before each read, and counts concurrent reads.

    Parameters
    ----------
    source : Source
        The source to read from.
    seconds : float, optional
        The time to wait before each read.

    Attributes
    ----------
    most : int
        The greatest number of concurrent reads.
    """

    def __init__(self, source: Source, seconds: float = 0.05) -> None:
        super().__init__(source)
        self.seconds = seconds
        self.most = 0
        self._under_way = 0

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._counting:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        try:
            time.sleep(self.seconds)
            yield
        finally:
            with self._counting:
                self._under_way -= 1

    def __getitem__(self, box: Box) -> Values:
        with self._reading():
            return self.source[box]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        with self._reading():
            return self.source.fetch(box)


def _set_capabilities(source: Source, capabilities: dict[str, Any]) -> None:
    for name, value in capabilities.items():
        if name not in Source.__annotations__:
            raise TypeError(f"a source has no attribute {name!r}")
        setattr(source, name, value)


class ArraySource(Source):
    """A source of an array in memory, with every capability of sources.

    Reads return copies.  A pickled copy has its own values.

    Parameters
    ----------
    values : ndarray or MaskedArray
        The values; the source is masked if they are a MaskedArray.
    chunks : tuple, optional
        The chunks along each axis: one length, or the lengths of all chunks.
    token : str, optional
        The token; by default a digest of the values.
    **capabilities
        Any other attributes of `Source`: ``name``, ``dims``, ``remote``, ...

    Attributes
    ----------
    values : ndarray or MaskedArray
        The values, which `change` replaces.
    revision : int or None
        The number that `state` and `validator` return as bytes; None if they return None.

    Examples
    --------
    >>> source = ArraySource(np.arange(3.0), name="sst", dims=("time",))
    >>> before = source.state()
    >>> source.change([3, 4, 5])
    >>> source.state() == before, source[slice(1, 2, 1),]
    (False, array([4.]))
    """

    owns_data = True
    io_bound = False

    def __init__(
        self,
        values: npt.ArrayLike,
        chunks: Chunks | None = None,
        token: str | None = None,
        **capabilities: Any,
    ) -> None:
        self.values: Values = np.asanyarray(values)
        self.shape = normal_shape(self.values.shape)
        self.dtype = self.values.dtype
        self.chunks = None if chunks is None else normal_chunks(chunks, self.shape)
        self.name = "array in memory"
        self.masked = isinstance(self.values, np.ma.MaskedArray)
        if isinstance(self.values, np.ma.MaskedArray):
            self.fill_value = self.values.fill_value
        self.token = f"array:{_digest(self.values)}" if token is None else token
        self.revision: int | None = 0
        _set_capabilities(self, capabilities)

    def __getitem__(self, box: Box) -> Values:
        # With an Ellipsis a zero-dimensional array stays an array.
        key: Any = (*box, Ellipsis)
        view: Values = self.values[key]
        return view.copy()

    def state(self) -> bytes | None:
        return None if self.revision is None else b"revision %d" % self.revision

    def change(self, values: npt.ArrayLike) -> None:
        """Replace the values by others of the same shape, and change the validator."""
        changed = np.asanyarray(values)
        if changed.shape != self.shape:
            raise ValueError(f"values of shape {changed.shape} do not fit {self.shape}")
        self.values = changed.astype(self.dtype)
        self.revision = 1 + (self.revision or 0)


def _digest(values: Values) -> str:
    content = hashlib.sha256(repr((values.shape, values.dtype)).encode())
    content.update(np.ma.getmaskarray(values).tobytes())
    raw = np.ma.getdata(values)
    content.update(repr(raw.tolist()).encode() if raw.dtype.hasobject else raw.tobytes())
    return content.hexdigest()[:32]


class UnreadableSource(Source):
    """A source that must not be read, to test that operations are lazy.

    Parameters
    ----------
    shape : tuple of int
        The shape.
    dtype : dtype, optional
        The dtype.
    **capabilities
        Any other attributes of `Source`: ``chunks``, ``token``, ``masked``, ...

    Examples
    --------
    >>> UnreadableSource((3,), "f4")[slice(0, 1, 1),]
    Traceback (most recent call last):
    AssertionError: unreadable source was read at [0:1]
    """

    name = "unreadable source"

    def __init__(
        self, shape: tuple[int, ...], dtype: npt.DTypeLike = "f8", **capabilities: Any
    ) -> None:
        self.shape = normal_shape(shape)
        self.dtype = np.dtype(dtype)
        _set_capabilities(self, capabilities)

    def __getitem__(self, box: Box) -> Values:
        raise AssertionError(f"{self.name} was read at {format_box(box)}")

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        # Not through `read`, which would turn the AssertionError into a SourceError.
        return self[box], None
