"""Partial reads: sources whose chunks are cheap to read in part.

Their blocks need no scratch, and those that are accumulated need not be in memory as a whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biggus.graph import Elementwise, Leaf, Mosaic, Node, Read, View, pieces_of
from biggus.indexing.grid import Grid, box_shape
from biggus.indexing.selection import DimensionMap, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Source

_ROWS = 2**19
"""About how many elements of a block are read at once, while it is accumulated."""

_SHORTEST_RUN = 2**13
"""The fewest bytes of a run that is read on its own; shorter runs go through a scratch."""


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
    return source.reads_parts and _run_bytes(source, lengths) >= _SHORTEST_RUN


def rows_at_once(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the first axis that is longer than 1, and how many indices along it to read at once.

    Examples
    --------
    >>> rows_at_once((1, 100, 512, 512))
    (1, 2)
    """
    axis = next((axis for axis, n in enumerate(shape) if n > 1), 0)
    return axis, max(1, _ROWS // max(1, math.prod(shape[axis + 1 :])))


def reads_rows(node: Node, selection: Selection) -> bool:
    """Return whether a block can be read a few rows at a time, at a cost in proportion to each.

    Parameters
    ----------
    node : Node
    selection : Selection
        The values of the block; not empty.
    """
    shape = selection.shape
    axis, at_once = rows_at_once(shape)
    if node.masked or at_once >= shape[axis]:
        return False
    everything = Selection.identity(shape)
    first = next(pieces_of(node, selection, everything))
    if not isinstance(first, Read) or first.out_selection is not everything:
        return False
    source, lengths = first.source, [*shape[:axis], at_once, *shape[axis + 1 :]]
    return (
        source.reads_parts
        and not source.io_bound
        and box_shape(first.box) == shape
        and all(s.step == 1 for s in first.box)
        and _run_bytes(source, lengths) >= _SHORTEST_RUN
    )


def _run_bytes(source: Source, lengths: Sequence[int]) -> int:
    """Return how many bytes of a block are side by side in a chunk, or all bytes of the chunk."""
    chunks = list(Grid(source.shape, source.chunks or source.shape).longest)
    run = source.dtype.itemsize
    for chunk, length in zip(reversed(chunks), reversed(lengths), strict=True):
        run *= min(chunk, length)
        if length < chunk:
            break
    return run
