"""Packed values: arrays that were only decoded are saved with the values as stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.cf import Decoder, kept_dtype
from biggus.graph import Elementwise, Leaf, Mosaic, Node, Rechunked, Reshape, View, Walk, answers
from biggus.labels import labels_of
from biggus.labels.varying import Varying
from biggus.sinks.locations import Place, store_class

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from biggus.sinks.new import NewStore

_MARKERS = {"_FillValue", "missing_value"}


class Unpacked(NamedTuple):
    """Stored values, and the decoder that was applied to them, if any."""

    node: Node
    decoder: Decoder | None


def stores_at(places: Mapping[int, Place]) -> dict[Path, NewStore]:
    """Return the new stores of some places, by path."""
    paths = {place.path for place in places.values()}
    return {path: store_class(path)(path) for path in paths}


def as_packed(
    nodes: list[Node], places: Mapping[int, Place], stores: Mapping[Path, NewStore]
) -> list[Node]:
    """Return the nodes to save, with those that were only decoded replaced by stored values.

    A node is replaced if readers of the new store decode the values to the same bits.
    """
    walk: Walk[Unpacked | None] = Walk(_stored)
    packed_nodes = list(nodes)
    for number, place in places.items():
        if place.path not in stores:
            continue
        packed = packed_in(stores[place.path], nodes[number], walk)
        if packed is not None:
            packed_nodes[number] = packed
    return packed_nodes


def packed_in(
    store: NewStore, node: Node, walk: Walk[Unpacked | None] | None = None
) -> Node | None:
    """Return the packed values of a node, if the store can hold them and their attributes."""
    stored = (walk or Walk(_stored))(node)
    if stored is None or stored.decoder is None:
        return None
    labels, dtype = labels_of(stored.node), stored.node.dtype
    if kept_dtype(dtype, labels.attributes) is not None:
        return None  # there may be such a dtype in the other format
    gives = store.decoder(labels, dtype)
    return stored.node if gives == stored.decoder else None


def _stored(node: Node) -> Generator[Any, Any, Unpacked | None]:
    match node:
        case Leaf():
            return Unpacked(node, None)
        case Elementwise() if isinstance(node.step, Decoder):
            inner = yield node.children[0]
            if inner is None or inner.decoder is not None:
                return None
            return Unpacked(inner.node, node.step)
        case Elementwise() if isinstance(node.step, Varying):
            inner = yield node.children[0]
            if inner is None or inner.decoder is None:
                return None
            step = Varying(inner.node.dtype, node.step.names, node.step.axis)
            return Unpacked(Elementwise(step, inner.node), inner.decoder)
        case View() | Reshape():
            inner = yield node.children[0]
            if inner is None or inner.decoder is None:
                return None
            rebuilt = node.rebuild((inner.node,))
            if isinstance(node, Rechunked):
                rebuilt = Rechunked(inner.node, node.selection, node.chunks)
            return Unpacked(rebuilt, inner.decoder)
        case Mosaic():
            tiles = yield from answers(node.tiles)
            return _joined(tiles, node.axis)
        case _:
            return None


def _joined(tiles: Sequence[Unpacked | None], axis: int) -> Unpacked | None:
    """Join stored values, if they are decoded alike."""
    first = tiles[0] if tiles else None
    if first is None or first.decoder is None:
        return None
    if not all(each is not None and each.decoder == first.decoder for each in tiles):
        return None
    several = [each.node for each in tiles if each is not None]
    whole = Mosaic(several, axis)
    return Unpacked(whole, first.decoder) if _same_markers(whole, several) else None


def _same_markers(whole: Node, tiles: Sequence[Node]) -> bool:
    """Tell whether the attributes of a mosaic have all markers of missing values of its tiles.

    A marker may be an attribute in one tile and the default of the library in another.
    """
    kept = labels_of(whole).attributes
    named = {name for tile in tiles for name in _MARKERS & labels_of(tile).attributes.keys()}
    return named <= kept.keys()
