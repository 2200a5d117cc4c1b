"""Saving the coordinates of statistics: scalars with bounds, with names of their own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from biggus import engine
from biggus.adapt import leaf_of
from biggus.sinks.locations import Place, sibling
from biggus.sources.memory import MemorySource

if TYPE_CHECKING:
    from biggus.graph import Node
    from biggus.labels import Coordinate, Labels


def with_spans(labels: Mapping[int, Labels], places: Mapping[int, Place]) -> dict[int, Labels]:
    """Return labels in which the coordinates of statistics, three numbers each, are in memory.

    Each is read once.  If another array in the store has the whole coordinate, the coordinate of
    the statistic is renamed, in cell methods, too, unless they use the standard name.
    """
    if not any(each.spans for one in labels.values() for each in one.coordinates):
        return dict(labels)
    read: dict[tuple[int, int], list[Node]] = {}
    holders: dict[Place, object] = {
        sibling(places[number], name): None for number in labels for name in _in_use(labels[number])
    }
    result = {}
    for number, one in labels.items():
        methods, coordinates = one.attributes.get("cell_methods"), []
        for each in one.coordinates:
            if each.spans is None or each.bounds is None:
                coordinates.append(each)
                continue
            key = id(each.spans), len(each.axes)
            if key not in read:
                both = engine.evaluate_all([each.node, each.bounds[2]])
                read[key] = [leaf_of(MemorySource(values)) for values in both]
            name = _name_of(each, key, places[number], holders)
            coordinates.append(_named(each, name, *read[key]))
            if isinstance(methods, str) and each.attributes.get("standard_name") != each.name:
                methods = re.sub(rf"(?<!\S){re.escape(each.name)}:", f"{name}:", methods)
        renamed = {} if methods is None else {"cell_methods": methods}
        result[number] = replace(
            one, attributes={**one.attributes, **renamed}, coordinates=tuple(coordinates)
        )
    return result


def _in_use(labels: Labels) -> Iterator[str]:
    """Yield the names of axes and of coordinates that are not those of statistics."""
    over = {each.name for each in labels.coordinates if each.spans is not None}
    yield from set(labels.named) - over
    for each in labels.coordinates:
        if each.spans is None:
            yield each.name
            if each.bounds is not None:
                yield each.bounds[0]


def _name_of(each: Coordinate, key: object, place: Place, holders: dict[Place, object]) -> str:
    """Return the first name that is free, or that has the same values."""
    others = (f"{each.name}_span{number}" for number in itertools.chain([""], itertools.count(1)))
    return next(
        name
        for name in itertools.chain([each.name], others)
        if holders.setdefault(sibling(place, name), key) == key
    )


def _named(each: Coordinate, name: str, node: Node, ends: Node) -> Coordinate:
    assert each.bounds is not None
    bounds = each.bounds[0]
    if name != each.name:
        bounds = f"{name}_bnds"
    return replace(
        each,
        name=name,
        attributes={**each.attributes, "bounds": bounds.rpartition("/")[2]},
        node=node,
        bounds=(bounds, {}, ends),
    )
