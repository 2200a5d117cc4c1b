"""Partial reads: blocks that are cheap to read straight from parts of chunks need no scratch."""

from __future__ import annotations

from collections.abc import Sequence

from biggus.graph import Elementwise, Leaf, Mosaic, Node, View
from biggus.indexing.grid import Grid
from biggus.indexing.selection import DimensionMap

_SHORTEST_RUN = 2**13
"""Bytes; reading shorter runs one by one costs more than writing all values to a scratch once."""


def reads_parts(node: Node, blocks: Grid) -> bool:
    """Return whether every block of a node can be read at a cost that is in proportion to it."""
    return _reads_parts(node, list(blocks.longest))


def _reads_parts(node: Node, lengths: Sequence[int]) -> bool:
    while not isinstance(node, (Leaf, Mosaic)):
        if isinstance(node, View):
            # The lengths along the axes of the base.
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
    return source.reads_parts and _run_bytes(node, lengths) >= _SHORTEST_RUN


def _run_bytes(leaf: Leaf, lengths: Sequence[int]) -> int:
    """Return how many bytes of a block are side by side in a chunk, or all bytes of the chunk."""
    chunks = list(Grid(leaf.shape, leaf.grid or leaf.shape).longest)
    run = leaf.dtype.itemsize
    for chunk, length in zip(reversed(chunks), reversed(lengths), strict=True):
        run *= min(chunk, length)
        if length < chunk:
            break
    return run
