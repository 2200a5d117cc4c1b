"""Cutting an axis into pieces that are read at once, at the edges of chunks."""

from __future__ import annotations

from biggus.indexing.grid import Edges, IrregularEdges, RegularEdges


def longest_piece(chunks: Edges | None, about: int) -> int:
    """Return the greatest length of a piece: that of a chunk, or of several short ones."""
    if chunks is None or not chunks.count:
        return about
    if isinstance(chunks, RegularEdges):
        return chunks.size * max(1, about // max(1, chunks.size))
    return max(about, chunks.length // chunks.count)


def pieces_of(length: int, chunks: Edges | None, longest: int) -> Edges:
    """Return pieces of at most `longest` elements, cut at edges of chunks; long chunks are cut.

    Examples
    --------
    >>> pieces_of(10, IrregularEdges.of_lengths([2, 2, 1, 5]), 4).offsets
    [0, 4, 5, 9, 10]
    """
    if chunks is None or isinstance(chunks, RegularEdges):
        return RegularEdges(length, max(1, longest))
    offsets = [0]
    previous = 0
    for piece in range(chunks.count):
        stop = chunks.bounds(piece)[1]
        if stop - offsets[-1] > longest and previous > offsets[-1]:
            offsets.append(previous)
        while stop - offsets[-1] > longest:
            offsets.append(offsets[-1] + longest)
        previous = stop
    if length > offsets[-1]:
        offsets.append(length)
    return IrregularEdges(offsets)
