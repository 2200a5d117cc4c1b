"""Companions: the coordinates, bounds and grid mappings that are saved beside an array."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus import engine
from biggus.graph import Elementwise, Filled, Node
from biggus.labels import Coordinate, Labels, labels_of, labels_of_all
from biggus.sinks import geotransform
from biggus.sinks.locations import Place, sibling
from biggus.sinks.metadata import carried_attributes, plain_value
from biggus.sinks.spans import with_spans
from biggus.sinks.stored import packed_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from biggus.sinks.new import NewStore

_log = logging.getLogger("biggus.sinks")

_MOST_CHECKED_BYTES = 2**20
"""The largest coordinates that are checked for missing values."""

_BOUNDS = ("bounds", "climatology")


class Companion(NamedTuple):
    """A variable that is saved beside others, with its place and its labels."""

    node: Node
    place: Place
    labels: Labels


def companions_of(
    nodes: Sequence[Node], places: Mapping[int, Place], stores: Mapping[Path, NewStore]
) -> tuple[dict[int, Labels], list[Companion]]:
    """Return the labels of arrays that are saved, and the companions to save beside them.

    If two arrays in one store have different coordinates of the same name, neither coordinate
    is saved.

    Parameters
    ----------
    nodes : sequence of Node
        The arrays.
    places : mapping of int to Place
        The places of the arrays that go to new stores, by number.
    stores : mapping of Path to NewStore
        The stores in which packed values stay packed.

    Returns
    -------
    labels : dict of int to Labels
        The labels of the arrays, by number.  They name the companions that are saved, and no
        others.
    companions : list of Companion
        The companions of all arrays.
    """
    taken = {place for place in places.values() if place.name}
    labels: dict[int, Labels] = {}
    for named in (False, True):
        numbers = [number for number, place in places.items() if bool(place.name) is named]
        found_labels = labels_of_all([nodes[number] for number in numbers], coordinates=named)
        labels.update(zip(numbers, found_labels, strict=True))
    labels = with_spans(labels, places)
    wanted: dict[Place, Companion | None] = {}
    for number, place in places.items():
        for each in _beside(labels[number], place):
            there = wanted.setdefault(each.place, each)
            if each.place in taken or there is None:
                continue
            if there is not each and not _same(there.node, each.node):
                _log.warning("%s is left out: arrays in there differ in it", each.place.label)
                wanted[each.place] = None
    companions = {
        place: each for place, each in wanted.items() if each is not None and place not in taken
    }
    there_is = taken | companions.keys()
    kept_labels = {
        number: _naming(each, places[number], there_is) if places[number].name else each
        for number, each in labels.items()
    }
    beside = [each._replace(labels=_naming_bounds(each, there_is)) for each in companions.values()]
    return kept_labels, [_packed(each, stores) or _whole(each) for each in beside]


def _packed(each: Companion, stores: Mapping[Path, NewStore]) -> Companion | None:
    """Return a coordinate with packed values, if it is stored packed; None otherwise."""
    store = stores.get(each.place.path)
    node = packed_in(store, each.node) if store is not None else None
    if node is None or node.dtype == each.node.dtype:
        return None
    packed_labels = labels_of(node)
    attributes = {**packed_labels.attributes, **each.labels.attributes}
    return each._replace(
        node=node, labels=replace(packed_labels, attributes=attributes, dims=each.labels.dims)
    )


def _whole(each: Companion) -> Companion:
    """Return a coordinate without a mask, if no value is missing.

    Coordinate variables must not have a fill value (CF conventions, section 2.5.1).
    """
    node = each.node
    nbytes = math.prod(node.shape) * node.dtype.itemsize
    if not node.masked or node.dtype.hasobject or nbytes > _MOST_CHECKED_BYTES:
        return each
    if np.ma.is_masked(engine.evaluate(node)):
        return each
    return each._replace(node=Elementwise(Filled(np.zeros((), node.dtype)), node))


def shared_group_attributes(several: Sequence[Labels]) -> dict[str, Any]:
    """Return the group attributes of a store: those that all arrays with attributes share."""
    several_attributes = [each.group_attributes for each in several]
    first, *others = [each for each in several_attributes if each] or [{}]
    shared = {
        name: value
        for name, value in carried_attributes(first, decoded=False).items()
        if all(name in other and _is_equal(first[name], other[name]) for other in others)
    }
    shared.pop("coordinates", None)  # may name variables that are not in the store
    return shared


def _is_equal(one: Any, other: Any) -> bool:
    return one is other or repr(plain_value(one)) == repr(plain_value(other))


def _beside(labels: Labels, place: Place) -> Iterator[Companion]:
    """Yield the companions of an array that is saved at a place."""
    if not place.name:
        return
    for each in labels.coordinates:
        own = labels_of(each.node)
        dims = (*[labels.named[a] for a in each.axes], *own.dims[len(each.axes) :])
        about = replace(own, attributes=each.attributes, dims=dims)
        yield Companion(each.node, sibling(place, each.name), about)
        if each.bounds is not None:
            name, attributes, node = each.bounds
            about = labels_of(node)
            dims = (*[labels.named[a] for a in each.axes], about.dims[-1] or "bnds")
            yield Companion(
                node, sibling(place, name), replace(about, attributes=attributes, dims=dims)
            )
    mapping = labels.grid_mapping
    if mapping is not None:
        # The value of a grid mapping has no meaning, and is not decoded.
        about = replace(labels_of(mapping.node), attributes=_placed(labels), decoded=True)
        yield Companion(mapping.node, sibling(place, mapping.name), about)


def _placed(labels: Labels) -> Mapping[str, Any]:
    """Return the attributes of the grid mapping, with the ``GeoTransform`` of this array."""
    attributes = dict(labels.grid_mapping.attributes) if labels.grid_mapping else {}
    along = {each.kind: each.node for each in labels.coordinates if len(each.axes) == 1}
    y, x = (along.get("latitude", along.get("y")), along.get("longitude", along.get("x")))
    if geotransform.NAME in attributes and y is not None and x is not None:
        centres = [np.ma.getdata(engine.evaluate(node)) for node in (y, x)]
        part = geotransform.for_part(attributes.pop(geotransform.NAME), *centres)
        if part is not None:
            attributes[geotransform.NAME] = part
    return attributes


def _naming(labels: Labels, place: Place, there: Any) -> Labels:
    """Return labels whose attributes name the companions that are saved, and no others."""
    attributes = dict(labels.attributes)
    for word in ("coordinates", "grid_mapping"):
        attributes.pop(word, None)
    saved = [each for each in labels.coordinates if sibling(place, each.name) in there]
    beside = [each.name.rpartition("/")[2] for each in saved if not _is_of_axis(each, labels)]
    if beside:
        attributes["coordinates"] = " ".join(beside)
    mapping = labels.grid_mapping
    if mapping is not None and sibling(place, mapping.name) in there:
        attributes["grid_mapping"] = mapping.name.rpartition("/")[2]
    _name_saved(attributes, place, there, _external(labels))
    return replace(labels, attributes=attributes)


def _external(labels: Labels) -> Sequence[str]:
    """Return the cell measures that are in other files, as an attribute of the group says."""
    names = labels.group_attributes.get("external_variables")
    return names.split() if isinstance(names, str) else ()


def _name_saved(
    attributes: dict[str, Any], place: Place, there: Any, external: Sequence[str] = ()
) -> None:
    """Leave out ancillary variables, cell measures and formula terms that are not saved."""
    ancillary = attributes.get("ancillary_variables")
    if isinstance(ancillary, str):
        saved = [name for name in ancillary.split() if sibling(place, name) in there]
        attributes["ancillary_variables"] = " ".join(saved)
        if not saved:
            del attributes["ancillary_variables"]
    measures = attributes.get("cell_measures")
    if isinstance(measures, str):
        words = measures.split()
        named = zip(words[::2], words[1::2], strict=False)
        kept = [pair for pair in named if pair[1] in external or sibling(place, pair[1]) in there]
        attributes["cell_measures"] = " ".join(word for pair in kept for word in pair)
        if not kept:
            del attributes["cell_measures"]
    terms = attributes.get("formula_terms")
    if isinstance(terms, str):
        names = [word for word in terms.split() if not word.endswith(":")]
        if not all(sibling(place, name) in there for name in names):
            del attributes["formula_terms"]


def _is_of_axis(each: Coordinate, labels: Labels) -> bool:
    return len(each.axes) == 1 and labels.dims[each.axes[0]] == each.name


def _naming_bounds(each: Companion, there: Any) -> Labels:
    attributes = dict(each.labels.attributes)
    attributes.pop("coordinates", None)
    for word in _BOUNDS:
        name = attributes.get(word)
        if name is not None and sibling(each.place, str(name)) not in there:
            attributes.pop(word)
    _name_saved(attributes, each.place, there)
    return replace(each.labels, attributes=attributes)


def _same(one: Node, other: Node) -> bool:
    """Tell whether two coordinates have the same values, which are read."""
    if one is other:
        return True
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    values, others = (np.ma.asanyarray(engine.evaluate(each)) for each in (one, other))
    masks = np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(others))
    nan = values.dtype.kind in "fc"
    return masks and np.array_equal(values.filled(), others.filled(), equal_nan=nan)
