"""Rules that derive the labels of a node from its children, one for each kind of node.

Other modules register rules for their nodes.  Slicing an array slices its coordinates; an integer
index leaves scalar ones.  Coordinates are other variables (CF conventions, chapter 5), whose
metadata has to be read: they are derived only if they are asked for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any, TypeAlias

from biggus.adapt import leaf_of
from biggus.cf import Decoder
from biggus.graph import (
    AlongAxes,
    Blockwise,
    Cast,
    Elementwise,
    Filled,
    Gufunc,
    Leaf,
    Maskable,
    Mosaic,
    Node,
    Reduce,
    Reshape,
    View,
    answers,
)
from biggus.indexing.selection import ArrayMap, ConstantMap, Selection
from biggus.labels.added import labels_of_added
from biggus.labels.attributes import (
    after_function,
    after_recount,
    after_statistic,
    counted_alike,
    is_of_all,
    of_others,
)
from biggus.labels.blocks import labels_of_blocks
from biggus.labels.coordinate import Coordinate, agreeing, joined, selected
from biggus.labels.cores import labels_of_cores
from biggus.labels.described import Described
from biggus.labels.labels import Labels, first_known
from biggus.labels.spanning import spans_of
from biggus.labels.times import Recount
from biggus.labels.varying import Varying

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from biggus.graph import Step
    from biggus.sources.base import Source

_MOST_TILES = 10_000
"""A mosaic of more tiles has only the names of the axes of its first tiles."""

_A_FEW = 8

SAME_VALUES = (Cast, Decoder, Filled, Maskable)
"""Steps whose results have all labels of the operand."""


Rule: TypeAlias = "Labels | Generator[Any, Any, Labels]"
"""The result of a rule: labels, or a generator that yields nodes and is sent their labels."""


@singledispatch
def rule(node: Node, coordinates: bool) -> Rule:
    """Return the labels of a node; without a rule for its kind, they are empty.

    Parameters
    ----------
    node : Node
        The node.
    coordinates : bool
        Whether to derive coordinates, too.
    """
    del coordinates
    return Labels((None,) * len(node.shape))


@rule.register(Leaf)
def _of_leaf(node: Leaf, coordinates: bool) -> Rule:
    source = node.source
    dims: tuple[str | None, ...] = (None,) * len(node.shape)
    if source.dims is not None and len(source.dims) == len(node.shape):
        dims = tuple([None if dim is None else str(dim) for dim in source.dims])
    place, _, name = source.name.rpartition("::")
    if not place:
        place, name = name, ""
    return Labels(
        dims,
        name.strip("/"),
        place,
        source.attributes,
        tuple(_coordinates_of(node, dims)) if coordinates else (),
        decoded=source.masked,
        default_fills=source.conventions == "CF",
        grid_mapping=_grid_mapping_of(source) if coordinates else None,
        group_attributes=source.group_attributes() if coordinates else {},
    )


def _coordinates_of(node: Leaf, dims: Sequence[str | None]) -> list[Coordinate]:
    source = node.source
    coordinates = []
    for axis, (name, length) in enumerate(zip(dims, node.shape, strict=True)):
        sibling = None if name is None else source.sibling(name)
        if sibling is not None and sibling.shape == (length,):
            coordinates.append(_coordinate(str(name), sibling, (axis,)))
    named = source.attributes.get("coordinates")
    for name in str(named).split() if isinstance(named, str) else ():
        sibling = source.sibling(name)
        # HDF5 and Zarr have no names of the axes of a scalar.
        names = None if sibling is None else sibling.dims if sibling.shape else ()
        if sibling is None or names is None:
            continue
        is_text = _is_text(sibling, dims)
        own = names[:-1] if is_text else names
        axes = tuple([dims.index(dim) for dim in own if dim is not None and dim in dims])
        fits = tuple([node.shape[axis] for axis in axes]) == sibling.shape[: len(own)]
        if fits and list(axes) == sorted(set(axes)):
            coordinates.append(_coordinate(name, sibling, axes, decode=not is_text))
    return coordinates


def _is_text(source: Source, dims: Sequence[str | None]) -> bool:
    """Tell whether the last axis of characters is the places in a text (CF conventions, 2.2)."""
    own = source.dims or ()
    return source.dtype.str == "|S1" and own[-1:] != () and own[-1] not in dims


def _coordinate(
    name: str, source: Source, axes: tuple[int, ...], decode: bool = True
) -> Coordinate:
    """Return a coordinate with its bounds, if the store has some.

    Characters of texts are not decoded: what would be missing is what fills the text.
    """
    bounds = None
    for word in ("bounds", "climatology"):
        called = source.attributes.get(word)
        sibling = source.sibling(called) if isinstance(called, str) and called else None
        if sibling is not None and sibling.shape[:-1] == source.shape and sibling.shape:
            bounds = (str(called), sibling.attributes, leaf_of(sibling))
    return Coordinate(name, source.attributes, leaf_of(source, decode), axes, bounds)


def _grid_mapping_of(source: Source) -> Coordinate | None:
    """Return the grid mapping, a scalar variable whose value has no meaning."""
    named = source.attributes.get("grid_mapping")
    if not isinstance(named, str) or named.count(":") > 1:
        return None  # there are several
    name = named.partition(":")[0].strip()  # after a colon stand the names of coordinates
    if not name:
        return None
    sibling = source.sibling(name)
    if sibling is None or sibling.shape:
        return None
    return Coordinate(name, sibling.attributes, leaf_of(sibling, decode=False), ())


@rule.register(View)
def _of_view(node: View, _: bool) -> Rule:
    labels, selection = (yield node.base), node.selection
    parts = [selected(each, selection) for each in labels.coordinates]
    whole = math.prod(selection.shape) == math.prod(node.base.shape)
    return replace(
        labels,
        dims=names_through(selection, labels.dims),
        attributes=labels.attributes if whole else of_others(labels.attributes),
        coordinates=tuple([each for each in parts if each is not None]),
    )


def names_through(selection: Selection, names: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return the names of the axes of a selection.

    An axis that comes from a single axis keeps its name; other axes have none.

    Examples
    --------
    >>> names_through(Selection.permuted((9, 4), (1, 0)), ["y", "x"])
    ('x', 'y')
    """
    origins: list[list[str | None]] = [[] for _ in selection.shape]
    for name, m in zip(names, selection.maps, strict=True):
        if isinstance(m, ConstantMap):
            continue
        dims = m.dims if isinstance(m, ArrayMap) else (m.dim,)
        for dim in dims:
            origins[dim].append(name if len(dims) == 1 else None)
    return tuple([each[0] if len(each) == 1 else None for each in origins])


@rule.register(Elementwise)
def _of_step(node: Elementwise, _: bool) -> Rule:
    if isinstance(node.step, Described):
        return node.step.labels
    if isinstance(node.step, Varying):
        return node.step.of((yield node.children[0]), node.shape)
    if isinstance(node.step, (*SAME_VALUES, Recount)):
        return _unpacked((yield node.children[0]), node.step)
    return _computed((yield from answers(node.children)), node.step)


def _unpacked(labels: Labels, step: Step) -> Labels:
    if isinstance(step, Recount):
        attributes = after_recount(step, labels.attributes)
        return replace(labels, attributes=attributes, decoded=True, default_fills=False)
    packed = labels.packed_fill
    if isinstance(step, Decoder):
        packed = (step.scale, step.offset) != (None, None)
    return replace(labels, decoded=True, packed_fill=packed)


def _computed(several: Sequence[Labels], step: Step) -> Labels:
    """Return the labels of an elementwise function of several operands."""
    attributes = after_function(step, [each.attributes for each in several])
    dims = first_known([each.dims for each in several])
    unchanged = bool(attributes) and attributes is several[0].attributes
    return replace(
        several[0] if unchanged else Labels(dims),
        dims=dims,
        attributes=attributes,
        # Operands that are broadcast, such as a climatology, have fewer coordinates.
        coordinates=agreeing(
            max(
                [each.coordinates for each in several],
                key=lambda coordinates: sum(each.spans is None for each in coordinates),
            ),
            [each.coordinates for each in several],
        ),
        grid_mapping=next((each.grid_mapping for each in several if each.grid_mapping), None),
        decoded=True,
        default_fills=False,
        group_attributes=_shared(
            [each.group_attributes for each in several if each.group_attributes] or [{}]
        ),
    )


@rule.register(Reduce)
@rule.register(AlongAxes)
def _of_statistic(node: Reduce | AlongAxes, coordinates: bool) -> Rule:
    labels = yield node.operand
    name = node.name if isinstance(node, Reduce) else getattr(node.function, "name", "")
    grouped = name == "grouped"
    if isinstance(node, Reduce) and grouped:
        name = node.parameters["func"]
    axes, keepdims = node.axes, node.keepdims
    remaining = [each for each in labels.coordinates if not set(each.axes) & set(axes)]
    dims = [dim for axis, dim in enumerate(labels.dims) if keepdims or axis not in axes]
    reduced = [labels.dims[axis] for axis in axes]
    if not keepdims:
        before = [sum(other < axis for other in axes) for axis in range(len(labels.dims))]
        remaining = [
            replace(each, axes=tuple([axis - before[axis] for axis in each.axes]))
            for each in remaining
        ]
        if coordinates:
            # An axis that is gone has the name of its coordinate (CF conventions, section 7.3).
            known = {None, *(each.name for each in labels.coordinates)}
            reduced = [dim for dim in reduced if dim in known]
    if is_of_all(name) and not grouped:
        remaining += spans_of(labels, axes, keepdims)
    added, values = labels_of_added(node, dims)
    return replace(
        labels,
        dims=(*dims, *added),
        # No cell method says which values a group has.
        attributes=after_statistic(labels.attributes, name, [None] if grouped else reduced),
        coordinates=(*remaining, *values) if coordinates else (),
        statistics=(*labels.statistics, name) if name else labels.statistics,
        decoded=True,
        default_fills=False,
        packed_fill=False,
    )


@rule.register(Reshape)
def _of_reshape(node: Reshape, _: bool) -> Rule:
    """Return the labels of a reshaped node: axes that stay keep names and coordinates."""
    labels = yield node.operand
    places = {
        before[0]: after[0] for before, after in node.groups if len(before) == len(after) == 1
    }
    names = {place: labels.dims[axis] for axis, place in places.items()}
    remaining = [
        replace(each, axes=tuple([places[axis] for axis in each.axes]))
        for each in labels.coordinates
        if all(axis in places for axis in each.axes)
    ]
    dims = tuple([names.get(axis) for axis in range(len(node.shape))])
    return replace(labels, dims=dims, coordinates=tuple(remaining))


@rule.register(Gufunc)
def _of_gufunc(node: Gufunc, _: bool) -> Rule:
    return labels_of_cores(node, (yield from answers(node.children)))


@rule.register(Blockwise)
def _of_blocks(node: Blockwise, _: bool) -> Rule:
    return labels_of_blocks(node, (yield from answers(node.children)))


@rule.register(Mosaic)
def _of_tiles(node: Mosaic, _: bool) -> Rule:
    """Return the labels of a mosaic, whose coordinates along its axis are joined."""
    if not 0 < len(node.tiles) <= _MOST_TILES:
        few = yield from answers(node.tiles[:_A_FEW])
        return Labels(first_known([each.dims for each in few]))
    several = yield from answers(node.tiles)
    # Constants, such as those of padding, have no coordinates.
    first = max(several, key=lambda labels: (len(labels.coordinates), bool(labels.name)))
    coordinates = []
    everywhere = agreeing(first.coordinates, [each.coordinates for each in several])
    by_name = [{(each.name, each.axes): each for each in labels.coordinates} for labels in several]
    for each in first.coordinates:
        if node.axis not in each.axes:
            # Coordinates of statistics may differ between tiles.
            if each.spans is None and each in everywhere:
                coordinates.append(each)
            continue
        key = each.name, each.axes
        others = [known[key] for known in by_name if key in known]
        if len(others) == len(several):
            whole = joined(others, each.axes.index(node.axis))
            if whole is not None:
                coordinates.append(whole)
    places = len({each.place for each in several})
    return replace(
        first,
        dims=first_known([each.dims for each in several]),
        place=f"{first.place} and {places - 1} more" if places > 1 else first.place,
        attributes=_shared(counted_alike([each.attributes for each in several])),
        group_attributes=_shared([each.group_attributes for each in several]),
        coordinates=tuple(coordinates),
        decoded=any(each.decoded for each in several),
        default_fills=any(each.default_fills for each in several),
    )


def _shared(several: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the attributes that are the same in all."""
    first = several[0]
    others = {id(each): each for each in several if each is not first}
    if not others:
        return first
    return {
        name: value
        for name, value in first.items()
        if all(_same(value, each.get(name)) for each in others.values())
    }


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if other is None:
        return False
    return type(one) is type(other) and repr(one) == repr(other)
