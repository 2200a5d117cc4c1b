"""Reading boxes through zarr-python, for arrays with dtypes or codecs unknown to biggus."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import math
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from biggus.backends.zarr.arrays import import_zarr, lend_pipeline, make_array, over_store
from biggus.backends.zarr.checks import check_for
from biggus.backends.zarr.grids import StoredGrid, regular_fields
from biggus.backends.zarr.python_store import Record, make_store
from biggus.backends.zarr.ranges import joined
from biggus.backends.zarr.sharding import NOT_WRITTEN, Sharding, shardings
from biggus.backends.zarr.shards import FetchedShards, Shard, ShardChangedError
from biggus.backends.zarr.store import Fetched, Span, ZarrStore
from biggus.backends.zarr.thread_pool import REQUESTS, threads
from biggus.sources.base import Box, Values, box_shape
from biggus.support.forks import between_forks, in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    import numpy.typing as npt

    from biggus.backends.zarr.metadata import ArrayDocument
    from biggus.indexing.grid import ChunkPart, Index

_AT_ONCE = 10
"""How many chunks zarr-python reads at once, unless its configuration says otherwise."""


class IndirectReader:
    """Reads boxes of one array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    document : ArrayDocument
        The metadata of the array.
    array : zarr.AsyncArray
        The array over that store; for a rectilinear grid, any chunk of it.
    key : callable
        Returns the key of a chunk or shard, given its number.
    grid : StoredGrid
        The grid of chunks or shards.
    """

    decodes_chunks = True
    encoding = None

    def __init__(
        self,
        store: ZarrStore,
        document: ArrayDocument,
        array: Any,
        key: Callable[[Index], str],
        grid: StoredGrid,
    ) -> None:
        self.store = store
        self.document = document
        self.array = array
        self.key = key
        self.grid = grid
        self._blocking = import_zarr().Array(array)
        self._lender: Any = None
        self._of_shape = functools.lru_cache(maxsize=64)(self._make_of_shape)
        self._sharded = array.shards is not None
        self._variable_length = isinstance(array.dtype, np.dtypes.StringDType)
        self.dtype = np.dtype(object) if self._variable_length else array.dtype
        self._ahead = None
        if self._sharded and not store.direct:
            inner = tuple(int(n) for n in array.chunks)
            self._ahead = Prefetch(store, key, grid, shardings(document.fields, inner))

    def decode_as(self, array: Any) -> None:
        """Decode by the codec pipeline of the user's ``zarr.AsyncArray`` of the same metadata."""
        self._lender = array
        self._of_shape.cache_clear()
        lend_pipeline(array, self.array)

    def read(
        self, boxes: Sequence[Box], record: Record, out: npt.NDArray[Any] | None = None
    ) -> list[Values]:
        """Return the values in each box, and note in `record` what was read."""
        if self._ahead is not None:
            self._ahead.fetch(boxes, record)
        if self.grid.regular:
            return [self._read(box) for box in boxes]
        return [self._read_rectilinear(box) for box in boxes]

    def _read(self, box: Box) -> Values:
        values: Values
        if box and math.prod(self._touched(box)) == 1 and self._here():
            values = np.asarray(run_here(self.array.getitem(box)))
        else:
            # Reading into a buffer gives an array, where zarr would return a scalar for a
            # zero-dimensional one.
            empty = np.empty(box_shape(box), self.array.dtype)
            buffer = _buffer_class().from_numpy_array(empty)
            self._blocking.get_basic_selection(box, out=buffer)
            values = buffer.as_numpy_array()
        return values.astype(object) if self._variable_length else values

    def _read_rectilinear(self, box: Box) -> Values:
        """Read chunk by chunk, each as an array."""
        values = np.empty(box_shape(box), self.dtype)

        def read(part: ChunkPart) -> None:
            of_shape = self._of_shape(self.grid.stored_shape(part.number))
            python_store = make_store(self.store, only=self.key(part.number))
            python_store.check = of_shape.store_path.store.check
            array = over_store(of_shape, python_store)
            if self._here():
                values[part.outer] = run_here(array.getitem(part.inner))
            else:
                values[part.outer] = type(self._blocking)(array)[part.inner]

        parts = self.grid.parts(box)
        if self.store.remote:
            threads.each(read, list(parts))
        else:
            for part in parts:
                read(part)
        return values

    def _make_of_shape(self, shape: tuple[int, ...]) -> Any:
        """Return the array of a chunk of a shape."""
        fields = regular_fields(self.document.fields, shape, shape)
        python_store = make_store(self.store)
        python_store.check = check_for(fields, self.document.zarr_format)
        array = make_array(python_store, self.array.path, fields, self.array.path)
        if self._lender is not None:
            lend_pipeline(self._lender, array)
        return array

    def _here(self) -> bool:
        return self.store.anywhere and can_run_here()

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes.

        Compressed chunks are decoded whole; zarr-python holds several at once.
        """
        stored = math.prod(map(min, self.grid.largest, self.grid.shape))
        touched = math.prod(self._touched(box))
        # For a shard there are its bytes, its values, and the chunks between.
        copies = 2 + self._sharded
        at_once = _AT_ONCE if self.grid.regular else REQUESTS
        values = math.prod(box_shape(box)) + copies * min(at_once, touched) * stored
        # Bytes of all shards may have been fetched ahead.
        ahead = 0 if self._ahead is None else min(MOST, touched * stored * self.dtype.itemsize)
        return values * self.dtype.itemsize + ahead

    def _touched(self, box: Box) -> list[int]:
        axes = zip(self.grid.axes, box, strict=True)
        return [axis.find(s.stop - 1) - axis.find(s.start) + 1 for axis, s in axes]


@functools.lru_cache(maxsize=1)
def _buffer_class() -> Any:
    with between_forks():
        from zarr.core.buffer.cpu import NDBuffer

    return NDBuffer


Result = TypeVar("Result")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that runs at once what it is asked to run in an executor."""

    def run_in_executor(  # type: ignore[override] # the base class has more precise types
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:  # the one exception that a future refuses
            future.set_exception(RuntimeError(str(error)))
        except Exception as error:  # noqa: BLE001 - raised by the future
            future.set_exception(error)
        return future


_idle: list[_Loop] = []
_inherited: list[_Loop] = []


def can_run_here() -> bool:
    """Return whether this thread can run an event loop, as none is running in it."""
    return asyncio._get_running_loop() is None  # noqa: SLF001 - documented, for this purpose


def run_here(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in this thread, and return its result.

    Event loops are reused.

    zarr-python sends each read to an event loop on its own thread, which sends each decoding to a
    third thread.  That suits many chunks at once, but for a single one the two hand-overs take
    longer than the read.  Here all of it runs in the calling thread.
    """
    try:
        loop = _idle.pop()
    except IndexError:
        loop = _Loop()
    try:
        result = loop.run_until_complete(coroutine)
    except BaseException:
        # Unfinished tasks must not continue in the next read.
        loop.close()
        raise
    _idle.append(loop)
    return result


def _close_all() -> None:
    while _idle:
        _idle.pop().close()


def _forget() -> None:
    # A loop's selector is shared with the parent: neither use nor close it.
    _inherited.extend(_idle)
    _idle.clear()


atexit.register(_close_all)
in_children(_forget)


MOST = 64 * 2**20
"""The most bytes that a read fetches ahead; zarr-python fetches further chunks one by one."""


class _Room:
    """The bytes that one read may still fetch ahead."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, nbytes: int) -> Iterator[bool]:
        """Take bytes if there are enough, and yield whether there are; an error gives them back."""
        with self._lock:
            fits = nbytes <= self._left
            self._left -= nbytes * fits
        try:
            yield fits
        except BaseException:
            with self._lock:
                self._left += nbytes * fits
            raise


class Prefetch:
    """Fetches the bytes that zarr-python will request in the shards of an array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    key : callable
        Returns the key of a shard, given its number.
    grid : StoredGrid
        The grid of shards.
    sharding : callable
        Returns the `Sharding` of shards of a shape; None if it is unknown.
    """

    def __init__(
        self,
        store: ZarrStore,
        key: Callable[[Index], str],
        grid: StoredGrid,
        sharding: Callable[[tuple[int, ...]], Sharding | None],
    ) -> None:
        self._shards = FetchedShards(store)
        self._key = key
        self._grid = grid
        self._sharding = sharding

    def fetch(self, boxes: Sequence[Box], record: Record) -> None:
        """Fetch the bytes that boxes need into `record`."""
        wanted: dict[Index, list[Box]] = {}
        for box in boxes:
            for part in self._grid.parts(box):
                wanted.setdefault(part.number, []).append(part.inner)
        room = _Room(MOST)
        threads.each(lambda item: self._fetch_shard(*item, record, room), list(wanted.items()))

    def _fetch_shard(self, number: Index, inner: list[Box], record: Record, room: _Room) -> None:
        sharding = self._sharding(self._grid.stored_shape(number))
        if sharding is None:
            return
        chunks: set[Index] = set()
        for box in inner:
            touched = {part.number for part in sharding.grid.parts(box)}
            if len(touched) < sharding.grid.count:  # else it requests the whole shard
                chunks |= touched
        key = self._key(number)
        if chunks:
            try:
                self._fetch(key, sharding, chunks, record, room)
            except ShardChangedError:
                self._fetch(key, sharding, chunks, record, room)

    def _fetch(
        self, key: str, sharding: Sharding, numbers: set[Index], record: Record, room: _Room
    ) -> None:
        with self._shards.opened(key, sharding) as shard:
            if shard is None:
                return  # zarr-python will notice
            places = [tuple(shard.index.chunks[number].tolist()) for number in numbers]
            spans = [(at, at + length) for at, length in places if at != NOT_WRITTEN and length]
            if not spans:
                return
            held = sum(stop - start for start, stop in joined(spans)) + len(shard.index.data)
            with room.taken(held) as fits:
                if fits:
                    record.ahead[key] = _held(shard, sharding.span, spans)


def _held(shard: Shard, index: Span, spans: list[Span]) -> Callable[[Span], Fetched | None]:
    """Fetch spans of a shard, and return a function that returns them and the index."""
    get = shard.reading(spans, sys.maxsize)
    get(min(spans))  # fetches all spans

    def held(span: Span) -> Fetched | None:
        if span == index:
            return Fetched(shard.index.data, shard.index.tag, shard.index.good_for)
        start, stop = span
        return None if start is None or start < 0 or stop is None else get(span)

    return held
