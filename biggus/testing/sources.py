"""Sources that watch, fail, wait or refuse: for tests of what reads sources."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.errors import format_box
from biggus.indexing.grid import Grid
from biggus.sources.base import Box, Source, Values
from biggus.sources.normal import normal_chunks, normal_shape
from biggus.sources.wrappers import Wrapper

if TYPE_CHECKING:
    from biggus.indexing.grid import Index
    from biggus.sources.base import Chunks

Fault: TypeAlias = BaseException | type[BaseException] | Callable[[Values], Any]
"""What to raise, or what turns the right values into wrong ones."""


class _Counting(Wrapper):
    """A wrapper with a lock for its counts, which stays behind in pickling."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._counting = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_counting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._counting = threading.Lock()


class RecordingSource(_Counting):
    """Keep a list of what is read from the source inside.

    Safe from many threads.  A pickled copy goes on from what was recorded so
    far; what it reads in another process is recorded there alone.

    Parameters
    ----------
    source : Source
        The source inside.

    Attributes
    ----------
    boxes : list of tuple of slice
        What was read, in the order in which reads began.
    reads : int
        How many of them were plain reads, ``source[box]``.
    fetches : int
        How many were fetches, ``source.fetch(box)``.

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
        """Forget what was read."""
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
        """Return the numbers of the chunks in which something was read.

        Parameters
        ----------
        chunks : tuple, optional
            The chunks to count in; default those of the source inside.

        Raises
        ------
        ValueError
            If none are given and the source has none.
        """
        chunks = self.chunks if chunks is None else chunks
        if chunks is None:
            raise ValueError(f"{self.name} has no chunks; say which to count in")
        grid = Grid(self.shape, chunks)
        with self._counting:
            boxes = list(self.boxes)
        return {part.number for box in boxes for part in grid.parts(box)}


class FaultySource(_Counting):
    """Fail on chosen reads, or give something else than the values.

    Parameters
    ----------
    source : Source
        The source inside.
    fault : exception or callable
        What to raise; or a function from the right values to what is given
        instead, such as `wrong_shape`, `wrong_dtype` or `garbage`.
    on : container of int or callable, optional
        Which reads fail: their numbers, from 0, as a container, or a
        function of the box.  Default: all.

    Attributes
    ----------
    reads : int
        How many reads there were.

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
            # As if the source inside had no fetch of its own: what it gives
            # is checked there, as that of any source is.
            return _Broken(self).fetch(box)
        return self.source.fetch(box)


class _Broken(Wrapper):
    """A faulty source within a read that fails."""

    source: FaultySource

    def __getitem__(self, box: Box) -> Values:
        return self.source._fail(box)  # type: ignore[no-any-return]  # noqa: SLF001

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        return Source.fetch(self, box)


def wrong_shape(values: Values) -> Values:
    """Return values with one axis too many."""
    return values[np.newaxis]


def wrong_dtype(values: Values) -> Values:
    """Return values of another dtype."""
    return values.astype("S3" if values.dtype != "S3" else "S4")


def garbage(values: Values) -> Any:
    """Return something that is no array."""
    return f"<html>not the {values.size} values that you want</html>"


class LatentSource(_Counting):
    """Wait before each read, and see how many reads are under way at once.

    Parameters
    ----------
    source : Source
        The source inside.
    seconds : float, optional
        How long each read takes at least.

    Attributes
    ----------
    most : int
        The greatest number of reads that were under way at once.
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
    """An array in memory as a source that has every capability.

    Reads give copies.  A pickled copy holds its own values: it does not see
    what happens to this one later.

    Parameters
    ----------
    values : ndarray or MaskedArray
        The values; masked ones make a masked source.
    chunks : tuple, optional
        For each axis the chunk length, or the lengths of all chunks.
    token : str, optional
        Identity; by default one that follows from the values.
    **capabilities
        Any other attribute of `Source`: ``name``, ``dims``, ``remote``, ...

    Attributes
    ----------
    values : ndarray or MaskedArray
        May be changed; see `change`.
    revision : int or None
        What `state` and `validator` tell; None: they tell nothing.

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
        # With an Ellipsis an array of no axes stays an array.
        key: Any = (*box, Ellipsis)
        view: Values = self.values[key]
        return view.copy()

    def state(self) -> bytes | None:
        return None if self.revision is None else b"revision %d" % self.revision

    def change(self, values: npt.ArrayLike) -> None:
        """Put other values of the same shape in the place of these; a new validator."""
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
    """Fail whatever reads it: proves that something is lazy.

    Parameters
    ----------
    shape : tuple of int
        The shape it tells.
    dtype : dtype, optional
        The dtype it tells.
    **capabilities
        Any other attribute of `Source`: ``chunks``, ``token``, ``masked``, ...

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
        # Not through `read`, which would make a SourceError of it.
        return self[box], None
