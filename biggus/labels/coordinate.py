"""A coordinate: what one axis of an array, or several together, stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import engine
from biggus.graph import Elementwise, Mosaic, Node, select
from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection
from biggus.labels.times import Recount, comparable, time_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PRESSURES = {"pa", "hpa", "kpa", "dbar", "decibar", "bar", "millibar", "mbar", "mb", "atm"}
"""Units: what is counted in them along an axis needs not say that it grows downwards (CF)."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """What one axis of an array, or several together, stand for.

    Attributes
    ----------
    name : str
        The name of its variable.
    attributes : mapping
        What the store says of it.
    node : Node
        Its values; not read yet.
    axes : tuple of int
        The axes of the array that it runs along, ascending; none for a single value.
    bounds : tuple of (str, mapping, Node) or None
        The name, attributes and values of the variable that holds its bounds: one axis more.
    spans : Node or None
        The values or bounds of which it is the middle: those that a statistic was taken over.
    """

    name: str
    attributes: Mapping[str, Any]
    node: Node
    axes: tuple[int, ...]
    bounds: tuple[str, Mapping[str, Any], Node] | None = None
    spans: Node | None = None

    def values(self) -> Any:
        """Return the values, masked ones as NaN.

        Raises
        ------
        SourceError
            If they cannot be read.
        """
        values: Any = engine.evaluate(self.node)
        if not isinstance(values, np.ma.MaskedArray):
            return values
        if not np.ma.is_masked(values):
            return values.data
        return np.ma.filled(values.astype(np.float64), np.nan)

    @property
    def kind(self) -> str | None:
        """``"latitude"``, ``"longitude"``, ``"time"``, ``"x"``, ``"y"``, ``"z"``; None if unknown.

        By units, standard name, axis and name, in this order.
        """
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
        """Whether its values grow downwards, as depths and pressures do."""
        said = str(self.attributes.get("positive", "")).lower()
        units = str(self.attributes.get("units", "")).lower()
        return said == "down" or (said != "up" and units in _PRESSURES)


def selected(each: Coordinate, selection: Selection) -> Coordinate | None:
    """Return a coordinate of a selection of its array; None if it selects nothing of it."""
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
        corners = bounds[2].shape[-1]
        of_all = Selection((*shape, corners), (*renumbered, DimensionMap(len(shape), 0, 1)))
        bounds = (*bounds[:2], select(bounds[2], of_all))
    node = select(each.node, Selection(shape, renumbered))
    return replace(each, node=node, axes=tuple(order), bounds=bounds)


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


def joined(several: Sequence[Coordinate], axis: int) -> Coordinate | None:
    """Return coordinates that follow one another along an axis of theirs, in the first's units.

    None if one cannot be brought to these.
    """
    first = several[0]
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
    return replace(first, node=node, bounds=bounds)


def _in_units_of(first: Coordinate, other: Coordinate, node: Node) -> Node | None:
    """Return values of a coordinate in the units of another; None if that cannot be."""
    said = [(str(c.attributes.get("units", "")), calendar_of(c)) for c in (first, other)]
    if said[0] == said[1]:
        return node
    wanted, units = (time_units(*each) for each in said)
    if wanted is None or units is None or not comparable(units, wanted):
        return None
    return Elementwise(Recount(node.dtype, units, wanted), node)


def calendar_of(each: Coordinate) -> str:
    """Return the calendar that times are counted in."""
    return str(each.attributes.get("calendar", "standard"))
