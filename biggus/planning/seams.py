"""Seams: where the tiles meet that an array is made of.

What is computed of a tile stands on its own, and can be used again when the mosaic
has grown: so no cell lies across a seam, and partial results are merged tile by tile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biggus.grid import Grid, RegularEdges
from biggus.nodes import Elementwise, GridMosaicNode, Leaf, Mosaic, Node, View, seen_through
from biggus.region import Strided

if TYPE_CHECKING:
    from biggus.cells import Lengths


def seams_of(node: Node) -> tuple[Lengths, ...]:
    """Return for each axis the length, or the lengths, of the tiles of a node."""
    match node:
        case View():
            return _seen(node)
        case Elementwise():
            # Those of the operand count which has most to be read.
            return seams_of(max(node.operands, key=_bytes_behind))
        case Mosaic():
            return _of_mosaic(node)
        case GridMosaicNode():
            return tuple([max(1, n) for n in node.tile_shape])
    return tuple([max(1, n) for n in node.shape])


def _bytes_behind(node: Node) -> int:
    while isinstance(node, View):
        node = node.base
    return math.prod(node.shape) * node.dtype.itemsize


def _of_mosaic(node: Mosaic) -> tuple[Lengths, ...]:
    edges = node.edges
    lengths: Lengths
    if isinstance(edges, RegularEdges):
        lengths = max(1, edges.size)
    else:
        lengths = tuple([stop - start for start, stop in map(edges.bounds, range(edges.count))])
    seams = _shared(node)
    return (*seams[: node.axis], lengths, *seams[node.axis + 1 :])


def _shared(node: Mosaic) -> tuple[Lengths, ...]:
    """Return the seams that all tiles have, but for those along the mosaic's own axis."""
    whole = tuple([max(1, n) for n in node.shape])
    if any(type(tile) is Leaf for tile in node.tiles):
        return whole
    axis = node.axis
    found = {(*seams[:axis], *seams[axis + 1 :]) for seams in map(seams_of, node.tiles)}
    if len(found) > 1:
        return whole
    (only,) = found
    return (*only[:axis], whole[axis], *only[axis:])


def _seen(node: View) -> tuple[Lengths, ...]:
    """Return what is seen of the seams of its base through a view."""
    seams: list[Lengths] = [max(1, n) for n in node.shape]
    edges = Grid(node.base.shape, seams_of(node.base)).axes
    for m, cut in zip(node.selection.maps, edges, strict=True):
        if type(m) is Strided and node.shape[m.dim] and cut.count > 1:
            seams[m.dim] = seen_through(m, node.shape[m.dim], cut)
    return tuple(seams)
