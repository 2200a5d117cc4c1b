"""Existing objects as targets: ndarrays, arrays of h5py, netCDF4 and zarr, and any others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.adapt import Lazy
from biggus.backends.native import hdf5_lock
from biggus.sinks.blocks import Assigning, unchanged
from biggus.sinks.hdf5 import assigning_to_dataset
from biggus.sinks.missing import MaskFiller
from biggus.sinks.netcdf import assigning_to_variable, grows_to, packs_values
from biggus.sinks.zarr import assigning_to_array
from biggus.sources.normal import normal_chunks, normal_dtype, normal_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.graph import Node
    from biggus.sources.base import Chunks

_ASSIGNING: dict[str, Callable[[Any, str, Node], Assigning]] = {
    "h5py": assigning_to_dataset,
    "netCDF4": assigning_to_variable,
    "zarr": assigning_to_array,
}


def check_object(target: Any, node: Node) -> None:
    """Check that a node can be assigned to an object.

    Raises
    ------
    TypeError
        If the object cannot be a target, or its dtype cannot hold the values.
    ValueError
        If the object has another shape, and is no netCDF4 variable that can grow.
    """
    if isinstance(target, Lazy):
        raise TypeError("a biggus Array cannot be a target: pass the object that stores its values")
    for needed in ("shape", "__setitem__"):
        if not hasattr(target, needed):
            raise TypeError(
                f"a {type(target).__name__} object cannot be a target: it has no {needed}; pass an "
                "array, an object with shape and __setitem__, or a location such as 'out.zarr'"
            )
    with hdf5_lock:  # attributes may call the HDF5 library, which other threads may be using
        shape = normal_shape(target.shape)
        if shape != node.shape and not (
            root_of(target) == "netCDF4" and grows_to(target, node.shape)
        ):
            raise ValueError(
                f"an array of shape {node.shape} does not fit into a target of {shape}"
            )
        if getattr(target, "dtype", None) is not None:
            _check_dtype(target, node.dtype)


def _check_dtype(target: Any, dtype: np.dtype[Any]) -> None:
    if target.dtype is str:  # a netCDF4 variable of strings
        fits = dtype.kind in "UOT"
    else:
        try:
            into = normal_dtype(target.dtype)
        except TypeError:
            return  # not a dtype of NumPy's: the object itself checks values
        if root_of(target) == "netCDF4" and dtype.kind in "iuf" and packs_values(target):
            return
        fits = np.can_cast(dtype, into, "same_kind")
        if into.kind in "OT" and not isinstance(target, np.ndarray):
            fits = dtype.kind in "UOT" or into == dtype
        elif into.kind in "SU":  # NumPy would truncate them
            fits = fits and np.can_cast(dtype, into, "safe")
    if not fits:
        raise TypeError(
            f"values of dtype {dtype} do not fit into a target of dtype {target.dtype}; cast them "
            "with .astype(...) if that is intended"
        )


def writer_to(target: Any, name: str, node: Node) -> Assigning:
    """Return the writer of a node to an object."""
    if isinstance(target, np.ndarray):
        return _assigning_to_memory(target, name, node)
    assigning = _ASSIGNING.get(root_of(target) or "")
    if assigning is not None:
        return assigning(target, name, node)
    grid = _grid_of(target, node.shape)
    into = getattr(target, "dtype", None)
    filler = MaskFiller(into=into if isinstance(into, np.dtype) and node.masked else None)
    return Assigning(target, name, node.shape, grid, filler)


def root_of(target: Any) -> str | None:
    """Return the library of an object: h5py, netCDF4 or zarr; None for others."""
    for cls in type(target).__mro__:
        root = cls.__module__.partition(".")[0]
        if root in _ASSIGNING:
            return root
    return None


def name_of(target: Any) -> str:
    """Return the name of an object for error messages."""
    root = root_of(target)
    if root is None:
        return f"the {type(target).__name__}"
    with hdf5_lock:
        inner = getattr(target, "name", None)
    return f"the {root} {type(target).__name__}" + (f" {inner}" if isinstance(inner, str) else "")


def _assigning_to_memory(target: Any, name: str, node: Node) -> Assigning:
    if not target.flags.writeable:
        raise ValueError(f"cannot write {name}: it is read-only")
    if isinstance(target, np.ma.MaskedArray):
        if node.masked and target.mask is np.ma.nomask:
            # Created now: otherwise several threads would each create one.
            target.mask = np.zeros(target.shape, bool)
        return Assigning(target, name, target.shape, None, unchanged, concurrent=True)
    problem = f"a value is missing, and dtype {target.dtype} has neither NaN nor NaT"
    filler = MaskFiller(problem=problem, into=target.dtype) if node.masked else MaskFiller()
    return Assigning(np.asarray(target), name, target.shape, None, filler, concurrent=True)


def _grid_of(target: Any, shape: tuple[int, ...]) -> Chunks | None:
    """Return the chunks of an object, if it has valid ones."""
    chunks = getattr(target, "chunks", None)
    if chunks is None:
        return None
    try:
        return normal_chunks(chunks, shape)
    except (TypeError, ValueError):
        return None
