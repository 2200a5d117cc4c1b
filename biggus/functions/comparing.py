"""Functions that compare arrays, look up values, and choose by conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biggus import expressions
from biggus.array import Array, implements
from biggus.construct import broadcast_to, zeros
from biggus.functions.counting import counted_before
from biggus.functions.elementwise import as_array, masked_elsewhere, valid_in_all, where
from biggus.functions.numpy_handlers import elementwise
from biggus.functions.statistics import all as every
from biggus.statistics.signatures import refuse


@implements(np.allclose)
def _allclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Array:
    return every(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


@implements(np.array_equal)
def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array | bool:
    first, second = as_array(a1), as_array(a2)
    if first.shape != second.shape:
        return False
    same = first == second
    if equal_nan and not {first.dtype.kind, second.dtype.kind} - set("fcmM"):
        same = same | (np.isnan(first) & np.isnan(second))
    return every(same)


@implements(np.array_equiv)
def _array_equiv(a1: Any, a2: Any) -> Array | bool:
    first, second = as_array(a1), as_array(a2)
    try:
        shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        return False
    return every(broadcast_to(first, shape) == broadcast_to(second, shape))


# Lookup --------------------------------------------------------------------------------------


@implements(np.searchsorted)
def _searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Array:
    if not isinstance(a, Array):
        return elementwise("searchsorted", "v")(a, v, side, sorter)
    if sorter is not None:
        raise TypeError("searchsorted in a lazy array takes no `sorter=`: np.sort puts it in order")
    return counted_before(a, v, side)


@implements(np.unravel_index)
def _unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Array, ...]:
    lengths = tuple(shape) if np.iterable(shape) else (shape,)
    np.unravel_index(np.empty(0, np.intp), lengths, order)  # type: ignore[call-overload]  # may refuse
    nodes = expressions.applied_each(
        np.unravel_index, [expressions.operand(indices), lengths, order]
    )
    return tuple(map(Array.from_node, nodes))


# Chosen by conditions ------------------------------------------------------------------------


@implements(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    conditions = [as_array(one) for one in condlist]
    choices = [one if np.isscalar(one) else as_array(one) for one in choicelist]

    def probe(operand: Any) -> Any:
        return np.zeros(1, operand.dtype) if isinstance(operand, Array) else operand

    # NumPy is called with one value of each, to find the dtype and errors.
    dtype = np.select([*map(probe, conditions)], [*map(probe, choices)], probe(default)).dtype
    selected: Any = np.asarray(default).astype(dtype) if np.isscalar(default) else default
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        chosen = choice.astype(dtype) if isinstance(choice, Array) else dtype.type(choice)
        selected = where(condition, chosen, selected)
    result: Array = selected
    return result


@implements(np.choose)
def _choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    refuse("choose", out=out)
    arrays = [as_array(one) for one in (a, *choices)]
    if any(one.masked for one in arrays):
        # The values that are chosen can be missing, not the others.
        numbers, *plain = map(_unmasked, arrays)
        there = _choose(numbers, [valid_in_all(one) for one in arrays[1:]], mode=mode)
        return masked_elsewhere(_choose(numbers, plain, mode=mode), there & valid_in_all(arrays[0]))
    operands = [expressions.operand(one) for one in (a, *choices)]
    return Array.from_node(expressions.applied(chosen, operands, {"mode": mode}))


def _unmasked(array: Array) -> Array:
    """Return an array with zeros for missing values."""
    return array.filled(np.zeros((), array.dtype)[()]) if array.masked else array


def chosen(numbers: Any, *choices: Any, mode: str) -> Any:
    """Choose from arrays by number, as :func:`numpy.choose`."""
    choose: Any = np.choose
    return choose(numbers, choices, mode=mode)


@implements(np.piecewise)
def _piecewise(
    x: Any, condlist: Any, funclist: Sequence[Any], *arguments: Any, **keywords: Any
) -> Array:
    array = as_array(x)
    conditions = list(condlist)
    if isinstance(condlist, Array) and condlist.ndim == array.ndim:
        conditions = [condlist]
    np.piecewise(np.zeros(1), [[False]] * len(conditions), [0] * len(funclist))  # may refuse
    pieces = [one(array, *arguments, **keywords) if callable(one) else one for one in funclist]
    joined: Any = zeros(array.shape, array.dtype)
    if len(pieces) > len(conditions):
        joined = broadcast_to(as_array(pieces.pop()).astype(array.dtype), array.shape)
    for condition, values in zip(conditions, pieces, strict=True):
        joined = where(condition, as_array(values).astype(array.dtype), joined)
    result: Array = joined.astype(array.dtype)
    return result


# Of dtypes -----------------------------------------------------------------------------------


@implements(np.can_cast)
def _can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    dtype = from_.dtype if isinstance(from_, Array) else from_
    return np.can_cast(dtype, to, casting)
