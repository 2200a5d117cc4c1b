"""NumPy's functions that split an array into several."""

from __future__ import annotations

import operator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.elementwise import node_or_scalar
from biggus.functions.moving import along
from biggus.sources.normal import normal_axis

if TYPE_CHECKING:
    from collections.abc import Callable


@implements(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    array = node_or_scalar(ary)
    place = normal_axis(axis, array.ndim)
    length = array.shape[place]
    if np.iterable(indices_or_sections):
        edges = [0, *map(operator.index, indices_or_sections), length]
    else:
        count = operator.index(indices_or_sections)
        if count <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(length, count)
        edges = [n * each + min(n, more) for n in range(count + 1)]
    return [along(array, place, slice(start, stop)) for start, stop in pairwise(edges)]


@implements(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if not np.iterable(indices_or_sections):
        length = ary.shape[normal_axis(axis, ary.ndim)]
        if length % operator.index(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return _array_split(ary, indices_or_sections, axis)


def _split_along(name: str, ndim: int, axis_of: Callable[[int], int]) -> Callable[..., list[Array]]:
    def split(ary: Any, indices_or_sections: Any) -> list[Array]:
        if ary.ndim < ndim:
            raise ValueError(f"{name} only works on arrays of {ndim} or more dimensions")
        return _split(ary, indices_or_sections, axis_of(ary.ndim))

    return split


implements(np.hsplit)(_split_along("hsplit", 1, lambda ndim: min(1, ndim - 1)))
implements(np.vsplit)(_split_along("vsplit", 2, lambda _: 0))
implements(np.dsplit)(_split_along("dsplit", 3, lambda _: 2))


def _unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    array = node_or_scalar(x)
    if array.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    place = normal_axis(axis, array.ndim)
    return tuple([along(array, place, number) for number in range(array.shape[place])])


if hasattr(np, "unstack"):  # since NumPy 2.1
    implements(np.unstack)(_unstack)
