"""Parts of chunks: where they are read for no more than they are, values need no scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.graph import Elementwise, Leaf, Mosaic, View
from biggus.indexing.grid import Grid
from biggus.indexing.reduction_blocks import longest_of
from biggus.indexing.selection import DimensionMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node

_LEAST = 2**13
"""Bytes; to read shorter runs one by one costs more than to write all once and read it again."""


def reads_parts(node: Node, blocks: Grid) -> bool:
    """Tell whether each block of a node is read from where its values lie, for its part of all."""
    return _reads_parts(node, list(map(longest_of, blocks.axes)))


def _reads_parts(node: Node, lengths: Sequence[int]) -> bool:
    while not isinstance(node, (Leaf, Mosaic)):
        if isinstance(node, View):
            # What is wanted along an axis of what it is a view of.
            lengths = [
                lengths[m.dim] if isinstance(m, DimensionMap) and abs(m.step) == 1 else 1
                for m in node.selection.maps
            ]
            node = node.base
        elif isinstance(node, Elementwise) and len(node.children) == 1:
            [node] = node.children
        else:
            return False
    if isinstance(node, Mosaic):
        return all(_reads_parts(tile, lengths) for tile in node.tiles)
    source = node.source
    return source.reads_parts and _run_bytes(node, lengths) >= _LEAST


def _run_bytes(leaf: Leaf, lengths: Sequence[int]) -> int:
    """Return how many bytes of a block lie together in a chunk, or are all of one."""
    chunks = [longest_of(edges) for edges in Grid(leaf.shape, leaf.grid or leaf.shape).axes]
    run = leaf.dtype.itemsize
    for chunk, length in zip(reversed(chunks), reversed(lengths), strict=True):
        run *= min(chunk, length)
        if length < chunk:
            break
    return run
