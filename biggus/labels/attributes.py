"""Attributes of computed arrays: attributes of the operands that still hold for the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from biggus import cf
from biggus.expressions import Apply
from biggus.labels.times import Recount, TimeUnits, time_units

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
"""The cell methods of statistics (CF conventions, appendix E), by the name without ``nan``."""

_QUANTILES = frozenset(["quantile", "percentile"])
"""Statistics that have the units of the values, and no name among the cell methods."""

_ACTUAL = "actual_range"
"""The attribute with the least and the greatest value; a part has other ones."""

_RANGES = frozenset(["valid_min", "valid_max", "valid_range", _ACTUAL])
"""Attributes that give the range of values; differences and sums have another range."""

_COUNTED = ("units", "calendar")

_WITHIN_RANGE = frozenset(["mean", "median", "min", "max", *_QUANTILES])
"""Statistics that lie within the range of the values."""

_SAME: tuple[Any, ...] = (np.round, np.clip, np.positive, np.real, np.nan_to_num)
"""Functions whose results have all attributes of their operand."""

_SAME_UNITS: tuple[Any, ...] = (
    *(np.add, np.subtract, np.minimum, np.maximum, np.fmin, np.fmax),
    *(np.absolute, np.fabs, np.negative, np.hypot, np.where),
)
"""Functions of values in the same units whose results have these units, too."""


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
"""Attributes that formats use internally."""

REFERRING = frozenset(
    [
        *("coordinates", "bounds", "climatology", "grid_mapping", "cell_measures"),
        *("ancillary_variables", "formula_terms"),
    ]
)
"""Attributes that name other variables (CF conventions)."""

PACKING = cf.PACKING | {"_NoFill"}
"""Attributes that describe packing, and do not hold for decoded values."""


def kept_attributes(attributes: Mapping[str, Any], decoded: bool) -> dict[str, Any]:
    """Return the attributes that hold for values as they are read.

    Parameters
    ----------
    attributes : mapping
        The attributes in the store.
    decoded : bool
        Whether the values are decoded; if so, attributes that describe packing are left out.
    """
    dropped = STRUCTURE
    if decoded:
        dropped |= PACKING | {cf.KEPT_DTYPE}
        if str(np.asarray(attributes.get("dtype")).astype(str).ravel()[:1]) == "['bool']":
            dropped |= {"dtype"}
    return {str(name): value for name, value in attributes.items() if name not in dropped}


def of_others(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes that also hold for a part of the values, or for more values.

    Examples
    --------
    >>> of_others({"units": "K", "actual_range": [0.0, 30.0]})
    {'units': 'K'}
    """
    if _ACTUAL not in attributes:
        return attributes
    return {name: value for name, value in attributes.items() if name != _ACTUAL}


def is_of_all(name: str) -> bool:
    """Tell whether a statistic summarises values, and has units like theirs."""
    name = name.removeprefix("nan")
    return name in _CELL_METHODS or name in _QUANTILES


def after_statistic(
    attributes: Mapping[str, Any], name: str, dims: Sequence[str | None]
) -> Mapping[str, Any]:
    """Return the attributes of a statistic along some axes, from the attributes of the values.

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
    dropped = frozenset([_ACTUAL]) if name in _WITHIN_RANGE else _RANGES
    if name == "var":
        dropped |= {"units"}
    attributes_after = {word: value for word, value in attributes.items() if word not in dropped}
    if method is not None and dims and None not in dims:
        methods = f"{' '.join(f'{dim}:' for dim in dims)} {method}"
        before = attributes.get("cell_methods")
        attributes_after["cell_methods"] = (
            f"{before} {methods}" if isinstance(before, str) and before else methods
        )
    return attributes_after


def after_function(step: Any, several: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the attributes of an elementwise function, from the attributes of its operands.

    Rounded and clipped values keep all attributes but their actual range.  Sums, differences,
    and the least and greatest of operands keep the units, if all operands have the same.
    """
    function = step.function if isinstance(step, Apply) else None
    if function in _SAME:
        return of_others(several[0])
    if function not in _SAME_UNITS or not isinstance(step, Apply):
        return {}
    operands = list(step.arguments)
    if function is np.where:
        operands = operands[1:]
    # A `Slot`, the number of an operand, is a subclass of int; constants are plain ints.
    blocks = [one for one in operands if type(one) is not int and isinstance(one, int)]
    units = [several[int(one)].get("units") for one in blocks]
    bare = len(blocks) < len(operands)
    if not units or (bare and function in (np.add, np.subtract)):
        return {}
    same = isinstance(units[0], str) and all(each == units[0] for each in units)
    return {"units": units[0]} if same else {}


def counted_in(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the units and the calendar among some attributes."""
    return {name: attributes[name] for name in _COUNTED if name in attributes}


def after_recount(step: Recount, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of times that were converted to other units."""
    dropped = {*cf.PACKING, *_RANGES, *_COUNTED}
    others = {name: value for name, value in attributes.items() if name not in dropped}
    return {**others, **step.attributes}


def counted_alike(several: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return attributes with the units and calendar of the first, where others mean the same."""
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
