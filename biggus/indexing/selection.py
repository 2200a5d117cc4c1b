"""Selections: elements of an array, arranged as a new array.

A :class:`Selection` of an array has a `shape` of its own, whose axes are called *dims* here, and
one map for each axis of the array, which gives the position along that axis for an index `i` of
the new array:

- ``ConstantMap(index)``: always the same position;
- ``DimensionMap(dim, start, step)``: ``start + step * i[dim]``;
- ``ArrayMap(dims, index)``: ``index[i[dims]]``, an integer array over those dims.

The array is repeated along a dim that no map names.  So one structure holds slices of any step,
integers, index arrays, new axes, transposition and broadcasting, and a selection of a selection
is a selection: composing takes O(axes), and the size of the index arrays that change.

A dim is named either by at most one ``DimensionMap``, or by any number of ``ArrayMap``, never by
both.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from biggus.indexing.grid import box_shape
from biggus.support.indexable import indexable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.indexing.grid import Box

Positions: TypeAlias = npt.NDArray[np.intp]


@final
@dataclass(slots=True, eq=False)
class ConstantMap:
    """One position of an axis, for all dims."""

    index: int


@final
@dataclass(slots=True, eq=False)
class DimensionMap:
    """Evenly spaced positions of an axis, along one dim."""

    dim: int
    start: int
    step: int

    def slice(self, n: int) -> slice:
        """Return the slice that takes the first `n` of the positions."""
        stop = self.start + self.step * n
        return slice(self.start, stop if stop >= 0 else None, self.step)

    def leaves(self, start: int, stop: int) -> int:
        """Return the index along the dim of the first position past a piece."""
        if self.step > 0:
            return -((self.start - stop) // self.step)
        return (self.start - start) // -self.step + 1


@final
@dataclass(slots=True, eq=False)
class ArrayMap:
    """Any positions of an axis: an integer array over ascending dims."""

    dims: tuple[int, ...]
    index: Positions

    @property
    def ascends(self) -> bool:
        """Whether it is over one dim, and the positions do not decrease along it."""
        index = self.index
        return len(self.dims) == 1 and bool((index[1:] >= index[:-1]).all())


AxisMap: TypeAlias = ConstantMap | DimensionMap | ArrayMap


@dataclass(slots=True, eq=False)
class Selection:
    """Elements of an array, arranged as a new array of `shape`.

    Parameters
    ----------
    shape : tuple of int
        The length of each dim.
    maps : tuple of ConstantMap, DimensionMap or ArrayMap
        One for each axis of the array.

    Examples
    --------
    Every other row of five, backwards:

    >>> rows = Selection((3, 4), (DimensionMap(0, 4, -2), DimensionMap(1, 0, 1)))
    >>> rows.take_from(np.arange(20).reshape(5, 4))[:, 0].tolist()
    [16, 8, 0]
    """

    shape: tuple[int, ...]
    maps: tuple[AxisMap, ...]

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> Selection:
        """Return the selection of all elements of an array of `shape`."""
        return cls(shape, tuple([DimensionMap(dim, 0, 1) for dim in range(len(shape))]))

    @classmethod
    def of_box(cls, box: Box) -> Selection:
        """Return the selection of the elements in a box."""
        return cls(
            box_shape(box), tuple([DimensionMap(dim, s.start, s.step) for dim, s in enumerate(box)])
        )

    @classmethod
    def permuted(cls, shape: tuple[int, ...], axes: Sequence[int]) -> Selection:
        """Return the selection that transposes an array of `shape`, like ``np.transpose``."""
        maps: list[AxisMap] = [ConstantMap(0)] * len(shape)
        for dim, axis in enumerate(axes):
            maps[axis] = DimensionMap(dim, 0, 1)
        return cls(tuple([shape[axis] for axis in axes]), tuple(maps))

    @classmethod
    def broadcast(cls, shape: tuple[int, ...], target: tuple[int, ...]) -> Selection:
        """Return the selection that broadcasts an array of `shape` to the shape `target`.

        Raises
        ------
        ValueError
            If it does not broadcast to `target`.
        """
        lead = len(target) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, target[lead:], strict=True)):
            raise ValueError(f"an array of shape {shape} does not broadcast to {target}")
        maps: list[AxisMap] = [
            ConstantMap(0) if n == 1 != target[lead + axis] else DimensionMap(lead + axis, 0, 1)
            for axis, n in enumerate(shape)
        ]
        return cls(target, tuple(maps))

    def compose(self, key: Selection) -> Selection:
        """Return the selection that `key` makes of the selected array.

        Parameters
        ----------
        key : Selection
            A selection of an array of this selection's shape.
        """
        maps = []
        for m in self.maps:
            if type(m) is DimensionMap:
                maps.append(_affine(key.maps[m.dim], m.start, m.step))
            elif type(m) is ArrayMap:
                maps.append(_gathered(m, key))
            else:
                maps.append(m)
        return Selection(key.shape, tuple(maps))

    def restrict(self, dim: int, start: int, stop: int) -> Selection:
        """Return this selection from `start` to `stop` along one dim."""
        shape = (*self.shape[:dim], stop - start, *self.shape[dim + 1 :])
        maps: list[AxisMap] = []
        for m in self.maps:
            if type(m) is DimensionMap and m.dim == dim:
                maps.append(DimensionMap(dim, m.start + m.step * start, m.step))
            elif type(m) is ArrayMap and dim in m.dims:
                where = (slice(None),) * m.dims.index(dim) + (slice(start, stop),)
                maps.append(ArrayMap(m.dims, m.index[where]))
            else:
                maps.append(m)
        return Selection(shape, tuple(maps))

    def shift(self, axis: int, offset: int) -> Selection:
        """Return the same elements as a selection of an array that starts `offset` later."""
        moved = _affine(self.maps[axis], -offset, 1)
        return Selection(self.shape, (*self.maps[:axis], moved, *self.maps[axis + 1 :]))

    def relative_to(self, corner: Sequence[int]) -> Selection:
        """Return the same elements as a selection of an array that starts at `corner`."""
        pairs = zip(self.maps, corner, strict=True)
        return Selection(self.shape, tuple([_affine(m, -start, 1) for m, start in pairs]))

    def unbroadcast(self, dims: int | None = None) -> Selection:
        """Return the selection before broadcasting: dims that no map names have length one.

        Parameters
        ----------
        dims : int, optional
            The number of the first dims that are looked at; all, if not given.
        """
        named = self.named_dims().union(range(len(self.shape))[dims:] if dims is not None else ())
        if len(named) == len(self.shape):
            return self
        return Selection(
            tuple([n if dim in named else 1 for dim, n in enumerate(self.shape)]), self.maps
        )

    def named_dims(self) -> set[int]:
        """Return the dims along which the array is not just repeated."""
        return {dim for m in self.maps for dim in dims_of(m)}

    def joint_dims(self, axis: int) -> tuple[int, ...]:
        """Return the dims of the index array of `axis`, and the dims that are tied to them.

        Two dims are tied if one index array is over both.
        """
        m = self.maps[axis]
        tied = set(m.dims) if type(m) is ArrayMap else set()
        grown = True
        while grown:
            grown = False
            for other in self.maps:
                dims = set(other.dims) if type(other) is ArrayMap else set()
                if tied & dims and not tied >= dims:
                    tied |= dims
                    grown = True
        return tuple(sorted(tied))

    @property
    def in_order(self) -> bool:
        """Whether it selects a box without strides, its dims in the order of the axes."""
        dims = []
        for m in self.maps:
            if type(m) is ArrayMap or (type(m) is DimensionMap and m.step != 1):
                return False
            if type(m) is DimensionMap:
                dims.append(m.dim)
        return dims == list(range(len(self.shape)))

    def bounding_box(self) -> tuple[Box, Selection]:
        """Return the smallest box that holds the selected elements, and the selection from it.

        The box has the stride of each ``DimensionMap``, made positive.  The selection must not be
        empty.
        """
        box = []
        local: list[AxisMap] = []
        for m in self.maps:
            if type(m) is DimensionMap:
                n = self.shape[m.dim]
                last = m.start + m.step * (n - 1)
                if n == 1:
                    box.append(slice(last, last + 1, 1))
                    local.append(DimensionMap(m.dim, 0, 1))
                elif m.step > 0:
                    box.append(slice(m.start, last + 1, m.step))
                    local.append(DimensionMap(m.dim, 0, 1))
                else:
                    box.append(slice(last, m.start + 1, -m.step))
                    local.append(DimensionMap(m.dim, n - 1, -1))
            elif type(m) is ArrayMap:
                low = int(m.index.min())
                box.append(slice(low, int(m.index.max()) + 1, 1))
                local.append(ArrayMap(m.dims, m.index - low))
            else:
                box.append(slice(m.index, m.index + 1, 1))
                local.append(ConstantMap(0))
        return tuple(box), Selection(self.shape, tuple(local))

    def take_from(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the selected elements of an ndarray; a view of it where NumPy gives one."""
        if 0 in self.shape:
            return np.empty(self.shape, array.dtype)
        basic, first, mesh, order = self._numpy_index()
        picked: npt.NDArray[Any] = array[basic]
        if mesh:
            picked = indexable(picked.transpose(first))[mesh]
            if picked.dtype is not array.dtype:
                picked = picked.astype(array.dtype, copy=False)
        if order != sorted(order):
            picked = picked.transpose(np.argsort(order))
        if len(order) < len(self.shape):
            named = set(order)
            picked = picked[
                tuple(slice(None) if d in named else None for d in range(len(self.shape)))
            ]
            picked = np.broadcast_to(picked, self.shape)
        return picked

    def put_into(self, array: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Write `values`, of this selection's shape, to the selected elements of an ndarray."""
        basic, first, mesh, order = self._numpy_index()
        if len(order) < len(self.shape):
            named = set(order)
            # A dim that no axis has must have one element: drop it.
            values = values[tuple(slice(None) if d in named else 0 for d in range(values.ndim))]
            rank = {dim: i for i, dim in enumerate(sorted(order))}
            order = [rank[dim] for dim in order]
        if order != sorted(order):
            values = values.transpose(order)
        if mesh:
            array[basic].transpose(first)[mesh] = values
        else:
            array[basic] = values

    def _numpy_index(
        self,
    ) -> tuple[tuple[Any, ...], list[int], tuple[npt.NDArray[np.intp], ...], list[int]]:
        """Return NumPy keys for the selected elements.

        Returns
        -------
        basic : tuple
            A basic key, to be applied first.
        first : list of int
            The transposition after that, which puts axes with index arrays first.
        mesh : tuple of ndarray
            The key for those axes.
        order : list of int
            The dims of the axes of the result.
        """
        basic: list[Any] = []
        gathers: list[ArrayMap] = []
        gathered_axes: list[int] = []
        other_axes: list[int] = []
        order: list[int] = []
        axis = 0
        for m in self.maps:
            if type(m) is DimensionMap:
                basic.append(m.slice(self.shape[m.dim]))
                order.append(m.dim)
                other_axes.append(axis)
                axis += 1
            elif type(m) is ArrayMap:
                basic.append(slice(None))
                gathers.append(m)
                gathered_axes.append(axis)
                axis += 1
            else:
                basic.append(m.index)
        basic.append(Ellipsis)  # so that a 0-d result is an array and not a scalar
        if not gathers:
            return tuple(basic), [], (), order
        dims = sorted({dim for m in gathers for dim in m.dims})
        mesh = tuple(spread_over(m.index, m.dims, dims) for m in gathers)
        return tuple(basic), gathered_axes + other_axes, mesh, dims + order


def _affine(m: AxisMap, start: int, step: int) -> AxisMap:
    """Return the map that gives ``start + step * m``."""
    if type(m) is DimensionMap:
        return DimensionMap(m.dim, start + step * m.start, step * m.step)
    if type(m) is ArrayMap:
        return ArrayMap(m.dims, start + step * m.index)
    return ConstantMap(start + step * m.index)


def _gathered(m: ArrayMap, key: Selection) -> AxisMap:
    """Return the map ``m`` at the dims that `key` selects."""
    keys = [key.maps[dim] for dim in m.dims]
    if len(keys) == 1 and type(keys[0]) is DimensionMap:  # the usual case, in a third of the time
        return ArrayMap((keys[0].dim,), m.index[keys[0].slice(key.shape[keys[0].dim])])
    dims = sorted({dim for k in keys for dim in dims_of(k)})
    if not m.index.size:  # a key of no elements may name positions that are not there
        nowhere = np.zeros([key.shape[dim] for dim in dims], np.intp)
        return ArrayMap(tuple(dims), nowhere) if dims else ConstantMap(0)
    if not dims:
        return ConstantMap(int(m.index[tuple(k.index for k in keys if type(k) is ConstantMap)]))
    if any(type(k) is ArrayMap for k in keys):
        mesh = []
        for k in keys:
            if type(k) is DimensionMap:
                line = k.start + k.step * np.arange(key.shape[k.dim], dtype=np.intp)
                mesh.append(spread_over(line, (k.dim,), dims))
            elif type(k) is ArrayMap:
                mesh.append(spread_over(k.index, k.dims, dims))
            else:
                mesh.append(np.array(k.index, np.intp))
        return ArrayMap(tuple(dims), m.index[tuple(mesh)])
    within: list[Any] = [
        k.slice(key.shape[k.dim]) if type(k) is DimensionMap else k.index for k in keys
    ]
    order = [k.dim for k in keys if type(k) is DimensionMap]
    return ArrayMap(tuple(dims), m.index[tuple(within)].transpose(np.argsort(order)))


def dims_of(m: AxisMap) -> tuple[int, ...]:
    """Return the dims that a map is over."""
    if type(m) is DimensionMap:
        return (m.dim,)
    return m.dims if type(m) is ArrayMap else ()


def spread_over(index: Positions, dims: Sequence[int], among: Sequence[int]) -> Positions:
    """Return `index` with an axis of length one for each dim of `among` that it is not over."""
    return index[tuple(slice(None) if dim in dims else None for dim in among)]
