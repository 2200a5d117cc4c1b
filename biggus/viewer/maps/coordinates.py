"""Coordinates: what the axes of an array stand for, followed from its stores to its view.

A store's variable names its axes, and variables of these names hold their coordinates;
others, such as the latitudes of a curved grid, its attribute ``coordinates`` names (CF
conventions, chapter 5).  Slicing an array slices them, and picking one element of an axis
leaves one value of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import cf, engine
from biggus.adapt import leaf_of
from biggus.errors import BiggusError
from biggus.graph import (
    AlongAxes,
    Elementwise,
    Leaf,
    Mosaic,
    Node,
    Reduce,
    View,
    Walk,
    answers,
    select,
)
from biggus.graph.mosaic import GridMosaicNode
from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection
from biggus.times import Recount, time_units

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

_log = logging.getLogger("biggus.viewer")

_PRESSURES = {"pa", "hpa", "kpa", "dbar", "decibar", "bar", "millibar", "mbar", "mb", "atm"}
"""Units: what is counted in them along an axis needs not say that it grows downwards (CF)."""

_MOST_TILES = 10_000
"""Of a mosaic of more tiles the coordinates are not looked for."""


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
    """

    name: str
    attributes: Mapping[str, Any]
    node: Node
    axes: tuple[int, ...]

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


@dataclass(frozen=True, eq=False)
class Meaning:
    """What an array stands for.

    Attributes
    ----------
    name : str
        Of its variable; empty if there is none.
    place : str
        Where its values come from.
    attributes : mapping
        What the store says of the variable.
    coordinates : tuple of Coordinate
    done : tuple of str
        The statistics that were taken of it.
    """

    name: str = ""
    place: str = ""
    attributes: Mapping[str, Any] = ()  # type: ignore[assignment] # empty, and nobody's to change
    coordinates: tuple[Coordinate, ...] = ()
    done: tuple[str, ...] = ()

    def along(self, axis: int) -> Coordinate | None:
        """Return the coordinate of one axis alone; rather one that says what it is."""
        found = [each for each in self.coordinates if each.axes == (axis,)]
        return next((each for each in found if each.kind), found[0] if found else None)

    def alone(self) -> list[Coordinate]:
        """Return the coordinates of one value, one of each kind; of unknown kind one at most."""
        found: dict[str | None, Coordinate] = {}
        for each in self.coordinates:
            named = each.attributes.get("standard_name") == each.kind
            if not each.axes and (each.kind not in found or named):
                found[each.kind] = each
        if len(found) > 1:
            found.pop(None, None)
        return list(found.values())

    def curved(self, axes: tuple[int, int], kind: str) -> Coordinate | None:
        """Return the coordinate of that kind that runs along both axes, if there is one."""
        wanted = tuple(sorted(axes))
        found = (each for each in self.coordinates if each.axes == wanted and each.kind == kind)
        return next(found, None)


def meaning_of(node: Node) -> Meaning:
    """Return what the axes and the values of a node stand for, as far as its stores say.

    Reads metadata of coordinates, and none of their values.
    """
    try:
        walk: Walk[Meaning] = Walk(_meaning)
        return walk(node)
    except BiggusError as error:
        _log.info("no coordinates: %s", error)
        return Meaning()


def _meaning(node: Node) -> Generator[Any, Meaning, Meaning]:
    match node:
        case Leaf():
            return _of_source(node)
        case View():
            return _selected((yield node.base), node.selection)
        case Elementwise():
            whole = [each for each in node.children if each.shape == node.shape]
            found = (yield whole[0]) if whole else Meaning()
            # What was computed is not what the store describes; what was unpacked is.
            same = len(node.children) == 1 and isinstance(node.step, cf.Decoder)
            return found if same else replace(found, name="", attributes={}, done=())
        case Reduce() | AlongAxes():
            name = node.name if isinstance(node, Reduce) else ""
            return _reduced((yield node.operand), node.axes, node.keepdims, name)
        case GridMosaicNode():
            return Meaning()
        case Mosaic() if 0 < len(node.tiles) <= _MOST_TILES:
            return _joined((yield from answers(node.tiles)), node)
        case _:
            return Meaning()


def _of_source(node: Leaf) -> Meaning:
    source = node.source
    dims = source.dims or (None,) * len(node.shape)
    found = []
    if len(dims) == len(node.shape):
        for axis, (name, length) in enumerate(zip(dims, node.shape, strict=True)):
            sibling = None if name is None else source.sibling(name)
            if sibling is not None and sibling.shape == (length,):
                leaf = leaf_of(sibling)
                found.append(Coordinate(str(name), sibling.attributes, leaf, (axis,)))
        named = source.attributes.get("coordinates")
        for name in str(named).split() if isinstance(named, str) else ():
            sibling = source.sibling(name)
            if sibling is None or sibling.dims is None or not sibling.shape:
                continue
            axes = tuple([dims.index(dim) for dim in sibling.dims if dim in dims])
            fits = tuple([node.shape[axis] for axis in axes]) == sibling.shape
            if fits and list(axes) == sorted(set(axes)):
                found.append(Coordinate(name, sibling.attributes, leaf_of(sibling), axes))
    place, _, name = source.name.rpartition("::")
    if not place:
        place, _, name = source.name.rpartition(" ")
    return Meaning(name.strip("/"), place, dict(source.attributes), tuple(found))


def _selected(meaning: Meaning, selection: Selection) -> Meaning:
    found = []
    for each in meaning.coordinates:
        chosen = _selected_coordinate(each, selection)
        if chosen is not None:
            found.append(chosen)
    return replace(meaning, coordinates=tuple(found))


def _selected_coordinate(each: Coordinate, selection: Selection) -> Coordinate | None:
    maps = [selection.maps[axis] for axis in each.axes]
    dims: set[int] = set()
    for m in maps:
        dims.update(_dims_of(m))
    order = sorted(dims)
    number = {dim: place for place, dim in enumerate(order)}
    shape = tuple([selection.shape[dim] for dim in order])
    if 0 in shape:
        return None
    chosen = Selection(shape, tuple([_renumbered(m, number) for m in maps]))
    return replace(each, node=select(each.node, chosen), axes=tuple(order))


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


def _reduced(meaning: Meaning, axes: Sequence[int], keepdims: bool, name: str) -> Meaning:
    kept = [each for each in meaning.coordinates if not set(each.axes) & set(axes)]
    if not keepdims:
        kept = [
            replace(
                each,
                axes=tuple([axis - sum(other < axis for other in axes) for axis in each.axes]),
            )
            for each in kept
        ]
    done = (*meaning.done, name) if name else meaning.done
    return replace(meaning, coordinates=tuple(kept), done=done)


def _joined(meanings: Sequence[Meaning], node: Mosaic) -> Meaning:
    """Return the meaning of tiles side by side: their coordinates along that axis follow on."""
    first = meanings[0]
    found = []
    for place, each in enumerate(first.coordinates):
        if node.axis not in each.axes:
            found.append(each)
            continue
        others = [
            meaning.coordinates[place]
            for meaning in meanings
            if place < len(meaning.coordinates)
            and (meaning.coordinates[place].name, meaning.coordinates[place].axes)
            == (each.name, each.axes)
        ]
        nodes = [_in_units_of(each, other) for other in others]
        known = [part for part in nodes if part is not None]
        if len(known) == len(meanings):
            joined = Mosaic(known, each.axes.index(node.axis))
            found.append(replace(each, node=joined))
    return replace(first, coordinates=tuple(found))


def _in_units_of(first: Coordinate, other: Coordinate) -> Node | None:
    """Return the values of a coordinate in the units of another; None if that cannot be."""
    said = [(str(c.attributes.get("units", "")), _calendar(c)) for c in (first, other)]
    if said[0] == said[1]:
        return other.node
    wanted, units = (time_units(*each) for each in said)
    if wanted is None or units is None or wanted.calendar != units.calendar:
        return None
    return Elementwise(Recount(other.node.dtype, units, wanted), other.node)


def _calendar(each: Coordinate) -> str:
    return str(each.attributes.get("calendar", "standard"))
