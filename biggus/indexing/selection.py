"""Selections: which elements of an array, laid out as a new array.

A :class:`Selection` of an array of n axes has a `shape` of its own, whose axes
are called *dims* here, and one map an axis of the array, which tells the
position along that axis of the element at given dims:

- ``ConstantMap(index)``: always the same position;
- ``DimensionMap(dim, start, step)``: ``start + step * i[dim]``;
- ``ArrayMap(dims, index)``: ``index[i[dims]]``, an integer array over those dims.

A dim that no map names repeats the array along it.  So one structure holds
slices of any step, integers, index arrays, new axes, transposition and
broadcasting, and a selection of a selection is again one: composing costs
O(axes), plus the size of the index arrays that are touched.

A dim is named either by at most one ``DimensionMap``, or by any number of
``ArrayMap``, never by both.  Everything here keeps to that.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.indexing.grid import Box

Positions: TypeAlias = npt.NDArray[np.intp]


@final
class ConstantMap:
    """One position of an axis, for all dims."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"ConstantMap({self.index})"


@final
class DimensionMap:
    """Evenly spaced positions of an axis, along one dim."""

    __slots__ = ("dim", "start", "step")

    def __init__(self, dim: int, start: int, step: int) -> None:
        self.dim = dim
        self.start = start
        self.step = step

    def __repr__(self) -> str:
        return f"DimensionMap({self.dim}, {self.start}, {self.step})"

    def slice(self, n: int) -> slice:
        """Return the slice that takes the first `n` of the positions."""
        stop = self.start + self.step * n
        return slice(self.start, stop if stop >= 0 else None, self.step)

    def leaves(self, start: int, stop: int) -> int:
        """Return the number of the first position that is past a piece from `start` to `stop`."""
        if self.step > 0:
            return -((self.start - stop) // self.step)
        return (self.start - start) // -self.step + 1


@final
class ArrayMap:
    """Any positions of an axis: an integer array over ascending dims."""

    __slots__ = ("dims", "index")

    def __init__(self, dims: tuple[int, ...], index: Positions) -> None:
        self.dims = dims
        self.index = index

    def __repr__(self) -> str:
        return f"ArrayMap({self.dims}, {self.index!r})"

    @property
    def ascends(self) -> bool:
        """Whether it is of one dim, along which no position is before the last."""
        index = self.index
        return len(self.dims) == 1 and bool((index[1:] >= index[:-1]).all())


AxisMap: TypeAlias = ConstantMap | DimensionMap | ArrayMap


class Selection:
    """Elements of an array, laid out as a new array of `shape`.

    Parameters
    ----------
    shape : tuple of int
        The length of each dim.
    maps : tuple of ConstantMap, DimensionMap or ArrayMap
        One an axis of the array that is selected from.

    Examples
    --------
    Every other row of five, backwards:

    >>> rows = Selection((3, 4), (DimensionMap(0, 4, -2), DimensionMap(1, 0, 1)))
    >>> rows.take_from(np.arange(20).reshape(5, 4))[:, 0].tolist()
    [16, 8, 0]
    """

    __slots__ = ("maps", "shape")

    def __init__(self, shape: tuple[int, ...], maps: tuple[AxisMap, ...]) -> None:
        self.shape = shape
        self.maps = maps

    def __repr__(self) -> str:
        return f"Selection({self.shape}, {self.maps})"

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> Selection:
        """Select all of an array of `shape`, as it is."""
        return cls(shape, tuple([DimensionMap(dim, 0, 1) for dim in range(len(shape))]))

    @classmethod
    def of_box(cls, box: Box) -> Selection:
        """Select what is in a box, as it is."""
        return cls(
            tuple([len(range(s.start, s.stop, s.step)) for s in box]),
            tuple([DimensionMap(dim, s.start, s.step) for dim, s in enumerate(box)]),
        )

    @classmethod
    def permuted(cls, shape: tuple[int, ...], axes: Sequence[int]) -> Selection:
        """Select all of an array of `shape` with dim i running along ``axes[i]``."""
        maps: list[AxisMap] = [ConstantMap(0)] * len(shape)
        for dim, axis in enumerate(axes):
            maps[axis] = DimensionMap(dim, 0, 1)
        return cls(tuple([shape[axis] for axis in axes]), tuple(maps))

    @classmethod
    def broadcast(cls, shape: tuple[int, ...], target: tuple[int, ...]) -> Selection:
        """Select an array of `shape` repeated to the shape `target`, as NumPy broadcasts.

        Raises
        ------
        ValueError
            If it does not broadcast to `target`.
        """
        lead = len(target) - len(shape)
        if lead < 0 or any(n not in (1, m) for n, m in zip(shape, target[lead:], strict=True)):
            raise ValueError(f"an array of shape {shape} does not broadcast to {target}")
        maps: list[AxisMap] = [
            ConstantMap(0) if n == 1 else DimensionMap(lead + axis, 0, 1)
            for axis, n in enumerate(shape)
        ]
        return cls(target, tuple(maps))

    def compose(self, key: Selection) -> Selection:
        """Return the selection `key` of what this selects.

        Parameters
        ----------
        key : Selection
            A selection of an array that has this selection's shape.
        """
        if 0 in key.shape:
            return Selection(key.shape, (ConstantMap(0),) * len(self.maps))
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
        """Return what this selects for dims from `start` to `stop` along `dim`."""
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
        """Return the same selection of an array that starts `offset` later along `axis`."""
        moved = _affine(self.maps[axis], -offset, 1)
        return Selection(self.shape, (*self.maps[:axis], moved, *self.maps[axis + 1 :]))

    def unbroadcast(self) -> Selection:
        """Return the same selection with the dims that no map names at length one.

        What it selects broadcasts to what this selects.
        """
        named = self.named_dims()
        if len(named) == len(self.shape):
            return self
        return Selection(
            tuple([n if dim in named else 1 for dim, n in enumerate(self.shape)]), self.maps
        )

    def named_dims(self) -> set[int]:
        """Return the dims along which it matters where one is."""
        return {dim for m in self.maps for dim in dims_of(m)}

    def joint_dims(self, axis: int) -> tuple[int, ...]:
        """Return the dims that the index arrays tie together with those of `axis`."""
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
        """Whether it gives values of a box without strides, its dims in the order of the axes."""
        dims = []
        for m in self.maps:
            if type(m) is ArrayMap or (type(m) is DimensionMap and m.step != 1):
                return False
            if type(m) is DimensionMap:
                dims.append(m.dim)
        return dims == list(range(len(self.shape)))

    def bounding_box(self) -> tuple[Box, Selection]:
        """Return the smallest box that holds what is selected, and the selection of its values.

        The box keeps the stride of a ``DimensionMap`` map, turned positive.  The
        selection must not be empty.
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
            picked = picked.transpose(first)[mesh]
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
        """Return how NumPy does it.

        Returns
        -------
        basic : tuple
            A basic key, to be applied first.
        first : list of int
            How to transpose what that gives, so that gathered axes come first.
        mesh : tuple of ndarray
            The key for those axes.
        order : list of int
            The dims of the axes of what that gives.
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
        mesh = tuple(_spread(m.index, m.dims, dims) for m in gathers)
        return tuple(basic), gathered_axes + other_axes, mesh, dims + order


def _affine(m: AxisMap, start: int, step: int) -> AxisMap:
    """Return the map that gives ``start + step * m``."""
    if type(m) is DimensionMap:
        return DimensionMap(m.dim, start + step * m.start, step * m.step)
    if type(m) is ArrayMap:
        return ArrayMap(m.dims, start + step * m.index)
    return ConstantMap(start + step * m.index)


def _gathered(m: ArrayMap, key: Selection) -> AxisMap:
    """Return the map that gives ``m`` at the dims that `key` selects."""
    keys = [key.maps[dim] for dim in m.dims]
    dims = sorted({dim for k in keys for dim in dims_of(k)})
    if not dims:
        return ConstantMap(int(m.index[tuple(k.index for k in keys if type(k) is ConstantMap)]))
    if any(type(k) is ArrayMap for k in keys):
        mesh = []
        for k in keys:
            if type(k) is DimensionMap:
                line = k.start + k.step * np.arange(key.shape[k.dim], dtype=np.intp)
                mesh.append(_spread(line, (k.dim,), dims))
            elif type(k) is ArrayMap:
                mesh.append(_spread(k.index, k.dims, dims))
            else:
                mesh.append(np.array(k.index, np.intp))
        return ArrayMap(tuple(dims), m.index[tuple(mesh)])
    within: list[Any] = []
    order: list[int] = []
    for k in keys:
        if type(k) is DimensionMap:
            within.append(k.slice(key.shape[k.dim]))
            order.append(k.dim)
        else:
            within.append(k.index)
    return ArrayMap(tuple(dims), m.index[tuple(within)].transpose(np.argsort(order)))


def dims_of(m: AxisMap) -> tuple[int, ...]:
    """Return the dims along which the positions of an axis go."""
    if type(m) is DimensionMap:
        return (m.dim,)
    return m.dims if type(m) is ArrayMap else ()


def _spread(index: Positions, dims: Sequence[int], among: Sequence[int]) -> Positions:
    """Give `index` over `dims` an axis of length one for each other dim of `among`."""
    return index[tuple(slice(None) if dim in dims else None for dim in among)]
