"""Coordinates of arrays: selecting from them, and joining them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from biggus import engine
from biggus.graph import Elementwise, Mosaic, Node, View, select
from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection
from biggus.labels.attributes import of_others
from biggus.labels.times import Recount, comparable, time_units
from biggus.sources.base import Values

_PRESSURES = {"pa", "hpa", "kpa", "dbar", "decibar", "bar", "millibar", "mbar", "mb", "atm"}
"""Units of pressure: a coordinate in them increases downwards by default (CF conventions)."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A coordinate of an array.

    Attributes
    ----------
    name : str
        The name of the variable.
    attributes : mapping
        The attributes of the variable.
    node : Node
        The values, which have not been read.  Characters of fixed length (``S1``) have one more
        axis, their places in the text.
    axes : tuple of int
        The axes of the array that the coordinate varies along, ascending; empty for a scalar.
    bounds : tuple of (str, mapping, Node) or None
        The name, attributes and values of the bounds, which have one more axis.
    spans : Node or None
        For the coordinate of a statistic, which is the middle of an interval: the values or
        bounds that the statistic was taken over.
    """

    name: str
    attributes: Mapping[str, Any]
    node: Node
    axes: tuple[int, ...]
    bounds: tuple[str, Mapping[str, Any], Node] | None = None
    spans: Node | None = None

    @property
    def is_characters(self) -> bool:
        """Whether the last axis of the values is the places in a text."""
        return len(self.node.shape) > len(self.axes)

    def values(self) -> Any:
        """Read the values; masked ones become NaN.  Characters become text, without their axis.

        Raises
        ------
        SourceError
            If a read fails.
        """
        values: Any = engine.evaluate(self.node)
        if self.is_characters:
            return texts(np.ma.filled(values, b""))
        if not isinstance(values, np.ma.MaskedArray):
            return values
        if not np.ma.is_masked(values):
            return values.data
        return np.ma.filled(values.astype(np.float64), np.nan)

    @property
    def kind(self) -> str | None:
        """``"latitude"``, ``"longitude"``, ``"time"``, ``"x"``, ``"y"``, ``"z"``; None if unknown.

        It follows from units, standard name, axis and name, in this order.  Text has none.
        """
        if self.node.dtype.kind not in "biufmM":
            return None
        units = str(self.attributes.get("units", "")).lower()
        standard = str(self.attributes.get("standard_name", "")).lower()
        axis = str(self.attributes.get("axis", "")).lower()
        name = self.name.lower()
        if units.replace("_", "").startswith(("degreesn", "degreen")) or standard == "latitude":
            return "latitude"
        if units.replace("_", "").startswith(("degreese", "degreee")) or standard == "longitude":
            return "longitude"
        if " since " in units or standard == "time":
            return "time"
        for letter in ("x", "y", "z"):
            if standard == f"projection_{letter}_coordinate" or axis == letter:
                return letter
        named = {"lat": "latitude", "latitude": "latitude", "lon": "longitude"}
        named |= {"longitude": "longitude", "time": "time", "x": "x", "y": "y"}
        return named.get(name)

    @property
    def downward(self) -> bool:
        """Whether the values increase downwards, as depths and pressures do."""
        positive = str(self.attributes.get("positive", "")).lower()
        units = str(self.attributes.get("units", "")).lower()
        return positive == "down" or (positive != "up" and units in _PRESSURES)


def texts(characters: Values) -> Values:
    """Join characters along their last axis; bytes that are not UTF-8 become marks."""
    *shape, length = characters.shape
    whole = np.ascontiguousarray(characters).view(f"S{length}") if length else np.zeros(shape, "S1")
    return np.strings.decode(whole.reshape(shape), "utf-8", "replace")


def selected(each: Coordinate, selection: Selection) -> Coordinate | None:
    """Return the coordinate of a selection of the array; None if the selection is empty."""
    maps = [selection.maps[axis] for axis in each.axes]
    dims: set[int] = set()
    for m in maps:
        dims.update(_dims_of(m))
    order = sorted(dims)
    number = {dim: place for place, dim in enumerate(order)}
    shape = tuple([selection.shape[dim] for dim in order])
    if 0 in shape:
        return None
    renumbered = tuple([_renumbered(m, number) for m in maps])
    bounds = each.bounds
    if bounds is not None:
        bounds = (*bounds[:2], _select_first(bounds[2], shape, renumbered))
    node = _select_first(each.node, shape, renumbered)
    whole = math.prod(node.shape) == math.prod(each.node.shape)
    attributes = each.attributes if whole else of_others(each.attributes)
    return replace(each, node=node, axes=tuple(order), attributes=attributes, bounds=bounds)


def spread(each: Coordinate, axis: int, length: int) -> Coordinate:
    """Return a scalar coordinate repeated along an axis of the array."""
    bounds = each.bounds
    if bounds is not None:
        bounds = (*bounds[:2], _select_first(bounds[2], (length,), ()))
    return replace(each, node=_select_first(each.node, (length,), ()), axes=(axis,), bounds=bounds)


def _select_first(node: Node, shape: tuple[int, ...], maps: tuple[AxisMap, ...]) -> Node:
    """Select along the first axes of a node, one for each map, and all of the other axes."""
    inner = node.shape[len(maps) :]
    whole = [DimensionMap(len(shape) + place, 0, 1) for place in range(len(inner))]
    return select(node, Selection((*shape, *inner), (*maps, *whole)))


def _dims_of(m: AxisMap) -> Iterable[int]:
    if isinstance(m, ConstantMap):
        return ()
    return m.dims if isinstance(m, ArrayMap) else (m.dim,)


def _renumbered(m: AxisMap, number: Mapping[int, int]) -> AxisMap:
    if isinstance(m, ArrayMap):
        return ArrayMap(tuple([number[dim] for dim in m.dims]), m.index)
    if isinstance(m, DimensionMap):
        return DimensionMap(number[m.dim], m.start, m.step)
    return m


def agreeing(
    coordinates: Sequence[Coordinate], several: Iterable[Sequence[Coordinate]]
) -> tuple[Coordinate, ...]:
    """Return the coordinates without the scalar ones that differ in other arrays.

    Scalar coordinates of one name differ if they are different elements of one variable.
    """
    scalars = {each.name: each for each in coordinates if not each.axes and each.spans is None}
    differing = {
        other.name
        for others in (several if scalars else ())
        for other in others
        if not other.axes and other.name in scalars and _differ(scalars[other.name], other)
    }
    return tuple([each for each in coordinates if each.axes or each.name not in differing])


def _differ(one: Coordinate, other: Coordinate) -> bool:
    """Tell whether scalar coordinates are known to be different elements of one variable."""
    a, b = one.node, other.node
    if not (isinstance(a, View) and isinstance(b, View)):
        return False
    return a.base is b.base and _constants(a.selection) != _constants(b.selection)


def _constants(selection: Selection) -> list[int]:
    return [m.index for m in selection.maps if isinstance(m, ConstantMap)]


def joined(several: Sequence[Coordinate], axis: int) -> Coordinate | None:
    """Join coordinates along an axis, in the units of the first.

    None if the units of one cannot be converted, or texts have different lengths.
    """
    first = several[0]
    inner = len(first.axes)
    if any(each.node.shape[inner:] != first.node.shape[inner:] for each in several):
        return None
    nodes = [_in_units_of(first, each, each.node) for each in several]
    if any(node is None for node in nodes):
        return None
    bounds = first.bounds
    if bounds is not None:
        parts = [
            None if each.bounds is None else _in_units_of(first, each, each.bounds[2])
            for each in several
        ]
        known = [part for part in parts if part is not None]
        bounds = (*bounds[:2], Mosaic(known, axis)) if len(known) == len(several) else None
    node = Mosaic([node for node in nodes if node is not None], axis)
    return replace(first, node=node, attributes=of_others(first.attributes), bounds=bounds)


def _in_units_of(first: Coordinate, other: Coordinate, node: Node) -> Node | None:
    """Convert values of a coordinate to the units of another; None if that is impossible."""
    units_given = [(str(c.attributes.get("units", "")), calendar_of(c)) for c in (first, other)]
    if units_given[0] == units_given[1]:
        return node
    wanted, units = (time_units(*each) for each in units_given)
    if wanted is None or units is None or not comparable(units, wanted):
        return None
    return Elementwise(Recount(node.dtype, units, wanted), node)


def calendar_of(each: Coordinate) -> str:
    """Return the calendar of a time coordinate."""
    return str(each.attributes.get("calendar", "standard"))
