"""Keys: from the key in ``array[key]`` to a selection.

:func:`numpy_selection` follows NumPy's rules, :func:`orthogonal_selection` those
of ``oindex``, where each index array acts on its own axis.  Both refuse the keys that
NumPy refuses, with the same type of exception, and read nothing.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection

MOST_AXES = 64
"""The most axes of a NumPy array."""

_INVALID = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) "
    "and integer or boolean arrays are valid indices"
)


def numpy_selection(key: Any, shape: tuple[int, ...]) -> Selection:
    """Return the selection that `key` makes of an array of `shape`, by NumPy's rules.

    Raises
    ------
    IndexError
        For a key that is out of bounds, too long, of the wrong kind, or whose
        arrays do not fit together.
    TypeError, ValueError
        For a slice that NumPy refuses in this way.

    Examples
    --------
    >>> numpy_selection((slice(None, None, -1), None, 3), (5, 4)).shape
    (5, 1)
    """
    items = key if type(key) is tuple else (key,)
    selection = basic_selection(items, shape)
    if selection is None:
        selection = _advanced_selection(_expanded(_normalised(items), shape), shape)
    if len(selection.shape) > MOST_AXES:
        raise IndexError(
            f"number of dimensions must be within [0, {MOST_AXES}], "
            f"indexing result would have {len(selection.shape)}"
        )
    return selection


def orthogonal_selection(key: Any, shape: tuple[int, ...]) -> Selection:
    """Return the selection in which each index array of `key` acts on its own axis.

    Index arrays are one-dimensional: integers, or booleans of the axis's length.

    Raises
    ------
    IndexError
        As :func:`numpy_selection`, and for an array of more than one dimension.

    Examples
    --------
    >>> orthogonal_selection(([0, 2], slice(None), [1, 2, 3]), (5, 4, 6)).shape
    (2, 4, 3)
    """
    items = _normalised(key if type(key) is tuple else (key,))
    for item in items:
        if isinstance(item, np.ndarray) and item.ndim != 1:
            raise IndexError(
                f"oindex takes one-dimensional index arrays, not {item.ndim}-dimensional"
            )
        if isinstance(item, bool):
            raise IndexError("oindex takes no single booleans")
    return _laid_out(_expanded(items, shape), shape)


def basic_selection(  # noqa: C901, PLR0912 - one pass, for speed
    items: tuple[Any, ...], shape: tuple[int, ...]
) -> Selection | None:
    """Return the selection of a valid key of ints, slices, None and one Ellipsis, else None.

    A quick path for the most common keys; errors are left to the general one.
    """
    maps: list[AxisMap] = []
    result: list[int] = []
    axis = 0
    rank = len(shape)
    for position, item in enumerate(items):
        kind = type(item)
        if kind is slice:
            if axis == rank:
                return None
            start, stop, step = item.start, item.stop, item.step
            n = shape[axis]
            if step is None and type(start) is int and type(stop) is int and 0 <= start < stop <= n:
                maps.append(DimensionMap(len(result), start, 1))
                result.append(stop - start)
            elif _is_plain(item):
                maps.append(_strided(item, len(result), n, result))
            else:
                return None
            axis += 1
        elif kind is int:
            if axis == rank:
                return None
            n = shape[axis]
            if not -n <= item < n:
                return None
            maps.append(ConstantMap(item if item >= 0 else item + n))
            axis += 1
        elif item is None:
            result.append(1)
        elif item is Ellipsis:
            following = items[position + 1 :]
            if any(other is Ellipsis for other in following):
                return None
            stop = rank - sum(1 for other in following if other is not None)
            while axis < stop:
                maps.append(DimensionMap(len(result), 0, 1))
                result.append(shape[axis])
                axis += 1
        else:
            return None
    while axis < rank:
        maps.append(DimensionMap(len(result), 0, 1))
        result.append(shape[axis])
        axis += 1
    return Selection(tuple(result), tuple(maps)) if len(result) <= MOST_AXES else None


def _normalised(items: tuple[Any, ...]) -> list[Any]:
    """Turn each item into an int, a bool, a slice, None, Ellipsis or an index array."""
    normal: list[Any] = []
    for item in items:
        if item is Ellipsis and any(other is Ellipsis for other in normal):
            raise IndexError("an index can only have a single ellipsis ('...')")
        if item is None or item is Ellipsis or isinstance(item, slice):
            normal.append(item)
        elif isinstance(item, (bool, np.bool_)):
            normal.append(bool(item))
        elif isinstance(item, int):
            normal.append(int(item))
        elif isinstance(item, (np.ndarray, list, tuple)):
            normal.append(_index_array(item))
        else:
            normal.append(_from_other(item))
    return normal


def _from_other(item: Any) -> Any:
    try:
        return operator.index(item)
    except TypeError:
        # A range, a buffer, ...: NumPy makes an array of it.
        return _index_array(item)


def _index_array(item: Any) -> Any:
    array = np.asarray(item)
    if array.size == 0 and not isinstance(item, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype.kind == "b":
        return bool(array) if array.ndim == 0 else array
    if array.dtype.kind not in "iu":
        raise IndexError(
            "arrays used as indices must be of integer (or boolean) type"
            if isinstance(item, np.ndarray)
            else _INVALID
        )
    if array.ndim == 0:
        return int(array)
    return array.astype(np.intp, copy=False)


def _expanded(items: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Replace the Ellipsis, or the missing end, by full slices.

    The Ellipsis stays in its place, for it keeps index arrays on both sides apart.
    """
    used = sum(_axes_used(item) for item in items)
    if used > len(shape):
        raise IndexError(f"too many indices for array: array is {len(shape)}-dimensional")
    full = [slice(None)] * (len(shape) - used)
    at = next((i for i, item in enumerate(items) if item is Ellipsis), None)
    expanded = items + full if at is None else [*items[:at], Ellipsis, *full, *items[at + 1 :]]
    _check_masks(expanded, shape)
    return expanded


def _check_masks(items: list[Any], shape: tuple[int, ...]) -> None:
    axis = 0
    for item in items:
        if isinstance(item, np.ndarray) and item.dtype.kind == "b":
            for i, n in enumerate(item.shape, axis):
                if n and n != shape[i]:  # NumPy takes an empty mask for any axis
                    raise IndexError(
                        f"boolean index did not match indexed array along axis {i}; size of "
                        f"axis is {shape[i]} but size of corresponding boolean axis is {n}"
                    )
        axis += _axes_used(item)


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, np.ndarray) and item.dtype.kind == "b":
        return item.ndim
    return 1


def _advanced_selection(items: list[Any], shape: tuple[int, ...]) -> Selection:
    """Return the selection of a key whose index arrays are broadcast together."""
    if not any(isinstance(item, (bool, np.ndarray)) for item in items):
        return _laid_out(items, shape)
    _check_basic_part(items, shape)
    arrays: dict[int, npt.NDArray[np.intp]] = {}  # by axis
    shapes: list[tuple[int, ...]] = []
    places: list[int] = []  # in the key, of the items that are broadcast together
    axis = 0
    for place, item in enumerate(items):
        if isinstance(item, slice):
            axis += 1
        elif isinstance(item, bool):
            shapes.append((1,) if item else (0,))
            places.append(place)
        elif isinstance(item, (int, np.ndarray)):
            for index in _as_integers(item, axis, shape):
                arrays[axis] = index
                shapes.append(index.shape)
                axis += 1
            places.append(place)
    try:
        together = np.broadcast_shapes(*shapes)
    except ValueError:
        listing = " ".join(str(s) for s in shapes)
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {listing}"
        ) from None
    if 0 not in together:  # else NumPy does not check bounds
        arrays = {axis: _wrapped(index, axis, shape[axis]) for axis, index in arrays.items()}
    adjacent = places[-1] - places[0] == len(places) - 1
    return _interleaved(items, shape, arrays, together, places[0] if adjacent else None)


def _check_basic_part(items: list[Any], shape: tuple[int, ...]) -> None:
    """Raise the errors that NumPy raises before it looks at index arrays."""
    axis = 0
    for item in items:
        if isinstance(item, slice):
            item.indices(shape[axis])
        elif type(item) is int:
            _in_bounds(item, axis, shape[axis])
        axis += _axes_used(item)


def _as_integers(
    item: int | npt.NDArray[Any], axis: int, shape: tuple[int, ...]
) -> list[npt.NDArray[np.intp]]:
    """Return the integer arrays of an item, one for each axis from `axis` on."""
    if isinstance(item, int):
        return [np.array(_in_bounds(item, axis, shape[axis]), dtype=np.intp)]
    if item.dtype.kind == "b":
        return [index.astype(np.intp, copy=False) for index in item.nonzero()]
    return [item]


def _interleaved(
    items: list[Any],
    shape: tuple[int, ...],
    arrays: dict[int, npt.NDArray[np.intp]],
    together: tuple[int, ...],
    place: int | None,
) -> Selection:
    """Return the selection of a key whose index arrays broadcast to `together`.

    The dims of the arrays come at `place`, where the arrays are in the key, if these are
    adjacent; otherwise they come first.
    """
    result: list[int] = []
    first = 0
    if place is None:
        result.extend(together)
    maps: list[AxisMap] = []
    single = len(arrays) == 1 and together in ((0,), (1,))
    axis = 0
    for position, item in enumerate(items):
        if position == place:
            first = len(result)
            result.extend(together)
        if item is None:
            result.append(1)
        elif isinstance(item, slice):
            maps.append(_strided(item, len(result), shape[axis], result))
            axis += 1
        else:
            for _ in range(_axes_used(item)):
                if single:  # as a slice, which is a dim of the axis, too
                    maps.append(DimensionMap(first, int(arrays[axis].sum()), 1))
                else:
                    maps.append(_gather(arrays[axis], first, len(together)))
                axis += 1
    return Selection(tuple(result), tuple(maps))


def _gather(index: npt.NDArray[np.intp], first: int, rank: int) -> AxisMap:
    """Return the map of an index array whose axes are the last of `rank` dims from `first` on.

    Axes of length one are left out, so that arrays that vary along different dims, like those of
    `numpy.ix_`, stay independent.
    """
    if index.size == 0:
        return ConstantMap(0)  # never used, as the selection is empty
    lead = first + rank - index.ndim
    axes = [axis for axis, n in enumerate(index.shape) if n != 1]
    if not axes:
        return ConstantMap(int(index.reshape(())))
    squeezed = index.reshape([index.shape[axis] for axis in axes])
    return ArrayMap(tuple(lead + axis for axis in axes), squeezed)


def _laid_out(items: list[Any], shape: tuple[int, ...]) -> Selection:
    """Return the selection of a key in which each item acts on its own axis."""
    maps: list[AxisMap] = []
    result: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            result.append(1)
        elif item is Ellipsis:
            continue
        elif isinstance(item, slice):
            maps.append(_strided(item, len(result), shape[axis], result))
            axis += 1
        elif isinstance(item, int):
            maps.append(ConstantMap(_in_bounds(item, axis, shape[axis])))
            axis += 1
        else:
            (index,) = _as_integers(item, axis, shape)
            index = _wrapped(index, axis, shape[axis])
            maps.append(ArrayMap((len(result),), index))
            result.append(len(index))
            axis += 1
    return Selection(tuple(result), tuple(maps))


def _is_plain(s: slice) -> bool:
    """Return whether a slice has only ints and None, and no step of 0."""
    for part in (s.start, s.stop, s.step):
        if part is not None and type(part) is not int:
            return False
    return bool(s.step != 0)


def _strided(s: slice, dim: int, n: int, result: list[int]) -> DimensionMap:
    start, stop, step = s.indices(n)
    length = len(range(start, stop, step))
    result.append(length)
    # The step of a slice of one element may be huge: it must not be computed with.
    return (
        DimensionMap(dim, start, step)
        if length > 1
        else DimensionMap(dim, start if length else 0, 1)
    )


def _in_bounds(index: int, axis: int, n: int) -> int:
    if not -n <= index < n:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {n}")
    return index + n if index < 0 else index


def _wrapped(index: npt.NDArray[np.intp], axis: int, n: int) -> npt.NDArray[np.intp]:
    if index.size:
        for extreme in (int(index.min()), int(index.max())):
            _in_bounds(extreme, axis, n)
        if int(index.min()) < 0:
            return np.where(index < 0, index + n, index)
    return index.copy()  # the caller may modify the array later
