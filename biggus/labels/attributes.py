"""Attributes: what is still true of values when something was done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import cf
from biggus.expressions import Apply
from biggus.labels.times import time_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biggus.labels.times import Recount, TimeUnits

_CELL_METHODS = {
    "sum": "sum",
    "mean": "mean",
    "median": "median",
    "min": "minimum",
    "max": "maximum",
    "ptp": "range",
    "std": "standard_deviation",
    "var": "variance",
}
"""Statistics of which CF has a name (appendix E), by the name without ``nan``."""

_PLACES = frozenset(["quantile", "percentile"])
"""Statistics that are values like those that they are of, and that CF has no name for."""

_OF_SPREAD = frozenset(["valid_min", "valid_max", "valid_range", "actual_range"])
"""Attributes that say where values lie: not where their differences and sums do."""

_COUNTED = ("units", "calendar")

_LOCATED = frozenset(["mean", "median", "min", "max", *_PLACES])

_SAME: tuple[Any, ...] = (np.round, np.clip, np.positive, np.real, np.nan_to_num)
"""Functions of values that leave them what they are values of."""

_SAME_UNITS: tuple[Any, ...] = (
    *(np.add, np.subtract, np.minimum, np.maximum, np.fmin, np.fmax),
    *(np.absolute, np.fabs, np.negative, np.hypot, np.where),
)
"""Functions of values in one unit that give values in it."""


STRUCTURE = frozenset(
    [
        "_FillValue",
        "_ARRAY_DIMENSIONS",
        "_Netcdf4Dimid",
        "_Netcdf4Coordinates",
        "_NCProperties",
        "_nc3_strict",
        "CLASS",
        "NAME",
        "DIMENSION_LIST",
        "DIMENSION_LABELS",
        "REFERENCE_LIST",
    ]
)
"""What a format keeps for itself."""

PACKING = cf.PACKING | {"_NoFill"}
"""How values are packed: not true any more of decoded ones."""


def kept_attributes(attributes: Mapping[str, Any], decoded: bool) -> dict[str, Any]:
    """Return the attributes that hold of the values as they were read.

    Parameters
    ----------
    attributes : mapping
        Those in the store.
    decoded : bool
        Whether the values were unpacked: then what tells of packing is left out.
    """
    dropped = STRUCTURE
    if decoded:
        dropped |= PACKING | {cf.KEPT_DTYPE}
        if str(np.asarray(attributes.get("dtype")).astype(str).ravel()[:1]) == "['bool']":
            dropped |= {"dtype"}
    return {str(name): value for name, value in attributes.items() if name not in dropped}


def is_of_all(name: str) -> bool:
    """Tell whether a statistic, by its name, stands for all values along the axes it went along."""
    name = name.removeprefix("nan")
    return name in _CELL_METHODS or name in _PLACES


def after_statistic(
    attributes: Mapping[str, Any], name: str, dims: Sequence[str | None]
) -> Mapping[str, Any]:
    """Return the attributes of a statistic of what has these, taken along some axes.

    Examples
    --------
    >>> after_statistic({"units": "K"}, "mean", ["time"])
    {'units': 'K', 'cell_methods': 'time: mean'}
    >>> after_statistic({"units": "K"}, "argmax", ["time"])
    {}
    """
    if not is_of_all(name):
        return {}
    name = name.removeprefix("nan")
    method = _CELL_METHODS.get(name)
    dropped = frozenset() if name in _LOCATED else _OF_SPREAD
    if name == "var":
        dropped |= {"units"}
    found = {word: value for word, value in attributes.items() if word not in dropped}
    if method is not None and dims and None not in dims:
        said = f"{' '.join(f'{dim}:' for dim in dims)} {method}"
        before = attributes.get("cell_methods")
        found["cell_methods"] = f"{before} {said}" if isinstance(before, str) and before else said
    return found


def after_function(step: Any, several: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the attributes of a function of values, from those of its operands.

    All of them of what is rounded or kept between bounds; of what is added and compared, the
    units, if all have the same and there are no bare numbers among them.
    """
    function = step.function if isinstance(step, Apply) else None
    if function in _SAME:
        return several[0]
    if function not in _SAME_UNITS or not isinstance(step, Apply):
        return {}
    operands = list(step.arguments)
    if function is np.where:
        operands = operands[1:]
    # The place of a block is a number too, but of a kind of its own.
    blocks = [one for one in operands if type(one) is not int and isinstance(one, int)]
    units = [several[int(one)].get("units") for one in blocks]
    bare = len(blocks) < len(operands)
    if not units or (bare and function in (np.add, np.subtract)):
        return {}
    same = isinstance(units[0], str) and all(each == units[0] for each in units)
    return {"units": units[0]} if same else {}


def counted_in(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that say in what units, and in which calendar, times are counted."""
    return {name: attributes[name] for name in _COUNTED if name in attributes}


def after_recount(step: Recount, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of counts of time in other units: nothing is said of stored numbers."""
    gone = {*cf.PACKING, *_OF_SPREAD, *_COUNTED}
    kept = {name: value for name, value in attributes.items() if name not in gone}
    return {**kept, **step.said}


def counted_alike(several: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return attributes in the words of the first where others say the same of what is counted."""
    first = counted_in(several[0])
    units = _time_units(first)
    return [
        {**{name: value for name, value in each.items() if name not in _COUNTED}, **first}
        if units is not None and counted_in(each) != first and _time_units(each) == units
        else each
        for each in several
    ]


def _time_units(attributes: Mapping[str, Any]) -> TimeUnits | None:
    units, calendar = (attributes.get(name) for name in _COUNTED)
    if not isinstance(units, str) or not isinstance(calendar, (str, type(None))):
        return None
    return time_units(units, calendar or "standard")
