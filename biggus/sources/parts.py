"""Parts of boxes that lie in one chunk each, and pasting their values together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from biggus.indexing.grid import ChunkPart, Edges, Grid, RegularEdges
from biggus.sources.base import Box, Chunks, Values, within


def only_chunk(grid: Grid, box: Box) -> Box | None:
    """Return the one chunk that holds `box`; None if there is none."""
    chunk = []
    for edges, s in zip(grid.axes, box, strict=True):
        if s.start >= s.stop:
            return None
        start, stop = edges.bounds(edges.find(s.start))
        if s.stop > stop:
            return None
        chunk.append(slice(start, stop, 1))
    return tuple(chunk)


def by_shard(
    shape: tuple[int, ...], shards: Chunks | None, parts: Sequence[ChunkPart]
) -> Iterable[list[int]]:
    """Group parts by the shard of their chunks; return the places in `parts` of each group."""
    if shards is None:
        return ([place] for place in range(len(parts)))
    axes = Grid(shape, shards).axes
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, part in enumerate(parts):
        shard = [axis.find(s.start) for axis, s in zip(axes, part.chunk, strict=True)]
        groups.setdefault(tuple(shard), []).append(place)
    return groups.values()


def longest_along(axis: Edges, s: slice) -> slice:
    """Return the longest of the chunks along an axis that `s` touches, as a slice."""
    first, last = axis.find(s.start), axis.find(s.stop - 1)
    # In a regular axis no chunk is longer than the first.
    regular = isinstance(axis, RegularEdges)
    chunks = map(axis.bounds, [first] if regular else range(first, last + 1))
    start, stop = max(chunks, key=lambda bounds: bounds[1] - bounds[0])
    return slice(start, stop, 1)


def paste(result: Values, outer: Box, values: Values, inner: Box) -> Values:
    """Assign ``values[inner]`` to ``result[outer]``; return the result, masked if values are."""
    if isinstance(values, np.ma.MaskedArray) and not isinstance(result, np.ma.MaskedArray):
        mask = np.ma.make_mask_none(result.shape, result.dtype)
        result = np.ma.MaskedArray(result, mask=mask)
        result.fill_value = values.fill_value
    result[outer] = values[inner]
    return result


def all_along(axis: Edges, s: slice) -> slice:
    """Return the range of all chunks along an axis that `s` touches, as a slice."""
    return slice(axis.bounds(axis.find(s.start))[0], axis.bounds(axis.find(s.stop - 1))[1], 1)


def part_of(values: Values, chunk: Box, box: Box) -> Values:
    """Return the values of `box` from those of the chunk that holds it."""
    if chunk == box:
        return values
    return values[within(box, chunk)]
