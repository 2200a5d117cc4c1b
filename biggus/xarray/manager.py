"""The chunk manager: the interface of xarray to libraries of lazy arrays.

It also has the regions of targets that xarray stores into, and coordinates that are indexed with
lazy positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray.core import indexing
from xarray.namedarray.parallelcompat import ChunkManagerEntrypoint

from biggus.array import Array
from biggus.array.callers import asked_by
from biggus.backends.native import hdf5_lock
from biggus.construct import ArrayAdapter
from biggus.errors import MemoryBudgetError
from biggus.expressions import applied
from biggus.expressions.apply import Apply, Slot
from biggus.functions.axes import moveaxis
from biggus.graph import Elementwise
from biggus.options import current, format_bytes
from biggus.sinks import save
from biggus.sources.normal import normal_axes
from biggus.together import ndarrays
from biggus.xarray import namespace
from biggus.xarray.gufuncs import apply_gufunc


class ChunkManager(ChunkManagerEntrypoint[Any]):
    """Lazy arrays for xarray, which sees one chunk: biggus chooses blocks itself."""

    available = True

    def __init__(self) -> None:
        self.array_cls = Array

    def chunks(self, data: Any) -> Any:
        """Return the lengths of the chunks."""
        return data.chunks

    def normalize_chunks(self, chunks: Any, shape: Any = None, *_: Any, **__: Any) -> Any:
        """Return one chunk along each axis; the chunks asked for are ignored."""
        return tuple([(n,) for n in (chunks if shape is None else shape)])

    def from_array(self, data: Any, chunks: Any, **_: Any) -> Any:  # noqa: ARG002 - none are needed
        """Return a lazy array of `data`."""
        if asked_by("xarray.computation") and isinstance(data, np.ndarray):
            # A coordinate that idxmax and idxmin index with lazy positions.
            return PickedLazily(data)
        return data if isinstance(data, Array) else ArrayAdapter(data)

    def rechunk(self, data: Any, chunks: Any, **_: Any) -> Any:  # noqa: ARG002 - likewise
        """Return the array unchanged: biggus chooses blocks itself."""
        return data

    def compute(self, *data: Any, **_: Any) -> Any:
        """Compute arrays together, in as few passes over the data as possible.

        Raises
        ------
        MemoryBudgetError
            If the arrays are larger than the memory option.
        """
        lazy = [one for one in data if isinstance(one, Array)]
        _check_room(lazy)
        values = iter(ndarrays(lazy))
        return tuple([next(values) if isinstance(one, Array) else one for one in data])

    def persist(self, *data: Any, **_: Any) -> Any:
        """Compute arrays together, and return lazy arrays of the values."""
        return tuple([ArrayAdapter(one) for one in self.compute(*data)])

    def map_blocks(
        self, func: Callable[..., Any], *args: Any, dtype: Any = None, **keywords: Any
    ) -> Any:
        """Apply a function lazily that is elementwise, or replaces the last axis by one value."""
        if len(args) == 1 and keywords.get("drop_axis") == [args[0].ndim - 1]:
            del keywords["drop_axis"], keywords["chunks"]
            return apply_gufunc(partial(func, **keywords), "(n)->()", *args, output_dtypes=[dtype])
        for name in ("chunks", "drop_axis", "new_axis", "meta", "name", "token"):
            if keywords.pop(name, None) is not None:
                raise NotImplementedError(f"`{name}=` of a lazy array")
        arrays = [one for one in args if isinstance(one, Array)]
        slots = map(Slot, range(len(arrays)))
        places = [next(slots) if isinstance(one, Array) else one for one in args]
        step = Apply(func, tuple(places), keywords, np.dtype(dtype), None, False, {})
        return Array.from_node(Elementwise(step, *[one.node for one in arrays]))

    def apply_gufunc(
        self, func: Callable[..., Any], signature: str, *args: Any, **keywords: Any
    ) -> Any:
        """Apply a function of core dimensions lazily; see `apply_gufunc`.

        The function that numbers the bins of groups is called with the values: xarray needs the
        numbers to group by them.
        """
        if getattr(func, "__module__", None) == "xarray.groupers":
            return func(*self.compute(*args))
        return apply_gufunc(func, signature, *args, **keywords)

    def reduction(
        self,
        arr: Array,
        func: Callable[..., Any],
        combine_func: Any = None,  # noqa: ARG002 - whole axes are reduced at once
        aggregate_func: Any = None,  # noqa: ARG002 - likewise
        axis: Any = None,
        dtype: Any = None,
        keepdims: bool = False,
    ) -> Any:
        """Reduce whole axes lazily, block by block along the others."""
        axes = normal_axes(range(arr.ndim) if axis is None else axis, arr.ndim)
        last = tuple(range(-len(axes), 0))
        reduced = partial(func, axis=last if len(last) > 1 else -1, keepdims=False)
        core = ",".join(f"d{n}" for n in axes)
        moved = moveaxis(arr, axes, last)
        results = apply_gufunc(reduced, f"({core})->()", moved, output_dtypes=[dtype])
        return np.expand_dims(results, axes) if keepdims else results

    def scan(  # type: ignore[override]
        self,
        func: Callable[..., Any],
        binop: Any,  # noqa: ARG002 - a whole axis is accumulated at once
        ident: Any,  # noqa: ARG002 - likewise
        arr: Array,
        axis: int = 0,
        dtype: Any = None,
        **_: Any,
    ) -> Any:
        """Accumulate along a whole axis lazily, block by block along the others."""
        moved = moveaxis(arr, axis, -1)
        scanned = partial(func, axis=-1)
        results = apply_gufunc(scanned, "(d)->(d)", moved, output_dtypes=[dtype or arr.dtype])
        return moveaxis(results, -1, axis)

    def unify_chunks(self, *args: Any, **_: Any) -> Any:
        """Return the arrays unchanged."""
        return {}, list(args[::2])

    def store(self, sources: Any, targets: Any, *, regions: Any = None, **keywords: Any) -> Any:
        """Write arrays to targets, computed together, block by block.

        With ``compute=False``, return a ``Delayed`` of dask, which does that when it is computed:
        xarray makes one itself of whatever it is given here.
        """
        if not isinstance(sources, (list, tuple)):
            sources, targets, regions = [sources], [targets], [regions]
        places = regions if isinstance(regions, (list, tuple)) else [regions] * len(sources)
        goals = list(map(_goal, targets, places, [each.shape for each in sources]))
        write = partial(save, list(sources), goals)
        if keywords.get("compute", True):
            return write()
        dask = import_module("dask")  # no requirement: xarray itself needs it for this alone
        return dask.delayed(write, pure=False)()

    def get_auto_chunk_size(self) -> int:
        """Return the preferred number of bytes of a chunk."""
        return current().memory // 8

    @property
    def array_api(self) -> Any:
        """The namespace: functions of NumPy, and a few that only dask has."""
        return namespace


def _goal(target: Any, place: tuple[slice, ...] | None, shape: tuple[int, ...]) -> Any:
    """Return what takes an array of a shape: a target, or a place in it.

    A variable that can grow is shorter, before it is written, than the array.
    """
    is_in_file = hasattr(target, "datastore")  # a variable of one of the netCDF libraries
    if place is None and not is_in_file:
        return target
    whole = tuple([slice(0, n) for n in shape])
    return Region(target, place or whole, shape, hdf5_lock if is_in_file else nullcontext())


def _check_room(arrays: Sequence[Array]) -> None:
    """Raise a MemoryBudgetError if very much would be loaded, which is usually a mistake."""
    nbytes, limit = sum(each.nbytes for each in arrays), current().memory
    if nbytes > limit:
        raise MemoryBudgetError(
            f"not loading {format_bytes(nbytes)} (the memory option is {format_bytes(limit)}): "
            "select or reduce it first, write it to a store with to_netcdf, to_zarr or "
            ".biggus.save, allow it with `biggus.set_options(memory=...)`, or load it anyway "
            "with .biggus.compute()"
        )


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
        slices = box if isinstance(box, tuple) else (box,)
        if slices in ((), (...,)):
            slices = tuple([slice(0, n) for n in self.shape])
        moved = tuple(
            [
                slice(start + s.start, start + s.stop)
                for start, s in zip(self.starts, slices, strict=True)
            ]
        )
        with self.lock:
            self.target[moved] = values


class PickedLazily(indexing.ExplicitlyIndexedNDArrayMixin):
    """Values along one axis that can be indexed with a lazy array; the result is lazy.

    Parameters
    ----------
    array : ndarray
        The values.
    """

    __slots__ = ("array",)

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array

    def get_duck_array(self) -> Any:
        """Return the values."""
        return self.array

    def _vindex_get(self, indexer: Any) -> Any:
        (key,) = indexer.tuple
        if not isinstance(key, Array):
            return self.array[np.asarray(key)]
        return Array.from_node(applied(np.take, [self.array, key.node]))

    _oindex_get = _vindex_get

    def __getitem__(self, indexer: indexing.ExplicitIndexer) -> Any:
        return self.array[indexer.tuple]
