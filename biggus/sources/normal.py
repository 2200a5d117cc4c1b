"""Checking arguments such as shapes, dtypes, chunks and axes, and bringing them to normal form."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from biggus.sources.base import Chunks

_ENTRIES = "chunks has one entry per axis, a length or the lengths of all chunks"


def normal_shape(shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple of non-negative Python ints."""
    normal = tuple(map(operator.index, shape))
    if any(n < 0 for n in normal):
        raise ValueError(f"a shape cannot have negative lengths: {normal}")
    return normal


def normal_dtype(dtype: Any) -> np.dtype[Any]:
    """Return `dtype` as a NumPy dtype; those of other libraries may have a ``numpy_dtype``."""
    return native_marked(np.dtype(getattr(dtype, "numpy_dtype", dtype)))


def native_marked(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return an equal dtype whose byte order is ``"="`` if it is the native one.

    NumPy treats ``"<"`` and ``"="`` as equal on such machines, but the netCDF library does not.
    """
    return dtype.newbyteorder("=") if dtype.byteorder in "<>" and dtype.isnative else dtype


def normal_chunks(chunks: Any, shape: tuple[int, ...]) -> Chunks:
    """Check that `chunks` fits `shape`; return it in normal form.

    Raises
    ------
    TypeError
        If it is neither a length nor a sequence of lengths.
    ValueError
        If there is not one entry for each axis, a length is not positive, or the lengths of an
        axis do not add up to it.

    Examples
    --------
    >>> normal_chunks((5, [3, 7]), (12, 10))
    (5, (3, 7))
    """
    entries = (chunks,) if isinstance(chunks, int) else _entries(chunks)
    if len(entries) != len(shape):
        raise ValueError(
            f"{_ENTRIES}: {chunks!r} has {len(entries)} for an array of {len(shape)} axes"
        )
    normal: list[int | tuple[int, ...]] = []
    for entry, n in zip(entries, shape, strict=True):
        if isinstance(entry, (tuple, list)):
            lengths = tuple(map(_length, entry))
            if any(m < 0 for m in lengths) or sum(lengths) != n:
                raise ValueError(f"chunk lengths {lengths} do not add up to the axis length {n}")
            normal.append(lengths)
        else:
            length = _length(entry)
            if length < 1:
                raise ValueError(f"a chunk length must be positive, not {length}")
            normal.append(length)
    return tuple(normal)


def given_chunks(chunks: Any, shape: tuple[int, ...]) -> Chunks:
    """Return chunks in normal form; a single length applies to all axes, and -1 is a whole axis.

    Examples
    --------
    >>> given_chunks((5, -1), (12, 10)), given_chunks(4, (12, 10))
    ((5, 10), (4, 4))
    """
    if not isinstance(chunks, bool) and isinstance(chunks, (int, np.integer)):
        chunks = (int(chunks),) * len(shape)
    entries = list(_entries(chunks))
    for axis, n in enumerate(shape[: len(entries)]):
        if isinstance(entries[axis], (int, np.integer)) and entries[axis] == -1:
            entries[axis] = max(1, n)
    return normal_chunks(entries, shape)


def given_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape given, as to NumPy, by one integer or several."""
    if isinstance(shape, (bool, np.bool_)):
        raise TypeError(f"a shape is an integer or several, not {shape}")
    try:
        return normal_shape((operator.index(shape),))
    except TypeError:
        return normal_shape(shape)


def normal_axis(axis: Any, ndim: int) -> int:
    """Return the non-negative number of an axis; raise NumPy's errors."""
    refuse_names(axis)
    return normalize_axis_index(axis, ndim)


def normal_axes(axis: Any, ndim: int, argument: str | None = None) -> tuple[int, ...]:
    """Return the non-negative numbers of axes; raise NumPy's errors.

    Examples
    --------
    >>> normal_axes((0, -1), 3), normal_axes(-2, 3)
    ((0, 2), (1,))
    """
    refuse_names(axis)
    normal: tuple[int, ...] = normalize_axis_tuple(axis, ndim, argument)
    return normal


def refuse_names(axis: Any) -> None:
    """Raise a TypeError if an axis is given by its name."""
    for one in axis if isinstance(axis, (tuple, list)) else (axis,):
        if isinstance(one, str):
            raise TypeError(
                f"an axis is given by its number, not by a name such as {one!r}: "
                "this array does not know the names of its axes"
            )


def _entries(chunks: Any) -> tuple[Any, ...]:
    if isinstance(chunks, (str, bytes, dict, set, frozenset)) or not hasattr(chunks, "__iter__"):
        raise TypeError(f"{_ENTRIES}: not {chunks!r}")
    return tuple(chunks)


def _length(entry: Any) -> int:
    try:
        return operator.index(entry)
    except TypeError:
        raise TypeError(f"{_ENTRIES}: {entry!r} is no length") from None
