"""Footprints: the most memory that computing a part of a node takes.  Reads nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from biggus import options
from biggus.nodes import AlongAxes, Combination, Elementwise, Leaf, Node, Read, View, narrowed
from biggus.region import Selection
from biggus.statistics import LONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.nodes import Piece

AT_ONCE = 64
"""So many reads that wait may be under way in a block."""

_PART = 8
"""Of the memory, the part that reads under way in one block may take."""

_WORKING = 5
"""Copies of its block that a function along axes makes, such as the median."""

_MOST_PIECES = 1000
"""What a few pieces take tells of all."""


class Footprint(NamedTuple):
    """Bytes of memory."""

    peak: int
    """The most while it is computed."""

    kept: int
    """What is there afterwards: the values."""


def footprint(node: Node, get: Selection) -> Footprint:
    """Return what computing a non-empty selection of a node takes."""
    match node:
        case View():
            return footprint(node.base, node.selection.compose(get))
        case Elementwise():
            return _of_step(node, get)
    return _of_pieces(node, get)


def streamed_footprint(node: Node, size: int) -> Footprint:
    """Return what so many values of a node take that are read run by run.

    A long run; another in the machine's byte order; and what is read at once of a source
    that gives boxes alone.
    """
    window = values_bytes(node, min(size, LONG))
    return Footprint(window * (2 if node.dtype.isnative else 3), window)


def values_bytes(node: Node, size: int) -> int:
    """Return the bytes of so many values of a node, and of their mask."""
    return size * (node.dtype.itemsize + node.masked)


def _of_step(node: Elementwise, get: Selection) -> Footprint:
    held = peak = 0
    for operand in node.operands:
        found = footprint(*narrowed(operand, get))
        peak = max(peak, held + found.peak)
        held += found.kept
    kept = values_bytes(node, math.prod(get.shape))
    # Masks are joined, and what is computed may be cast.
    working = 2 * kept if node.masked else kept
    return Footprint(max(peak, held + kept + working), kept)


def _of_pieces(node: Node, get: Selection) -> Footprint:
    kept = values_bytes(node, math.prod(get.shape))
    if isinstance(node, Leaf) and node.source.resident:
        return Footprint(kept, kept)
    everything = Selection.identity(get.shape)
    pieces = list(_some(node.pieces(get, everything)))
    # Reads that wait are under way together.
    peaks = sorted([piece_bytes(piece) for piece in pieces], reverse=True)
    under_way = peaks[0]
    if any(piece.waits for piece in pieces):
        under_way = max(under_way, min(sum(peaks[:AT_ONCE]), reading_bytes()))
    if len(pieces) == 1:
        along = isinstance(node, AlongAxes)
        return Footprint(under_way + (kept if along else 0), kept)
    return Footprint(under_way + kept, kept)


def reading_bytes() -> int:
    """Return how many bytes the reads of a block that wait may take together.

    One alone may take more.
    """
    return options.current().memory // _PART


def _some(pieces: Iterable[Piece]) -> Iterable[Piece]:
    for number, piece in enumerate(pieces):
        if number == _MOST_PIECES:
            return
        yield piece


def piece_bytes(piece: Piece) -> int:
    """Return the most memory that a piece takes while it is read or computed."""
    if isinstance(piece, Read):
        read = piece.source.peak_bytes(piece.box)
        size = math.prod(piece.put.shape)
        return read + sum(2 * size * (step.dtype.itemsize + step.masked) for step in piece.steps)
    assert isinstance(piece, Combination)
    held = peak = 0
    for operand, get in piece.operands:
        found = footprint(operand, get)
        peak = max(peak, held + found.peak)
        held += found.kept
    size = math.prod(piece.put.shape)
    working = _WORKING * held if len(piece.operands) == 1 else 0
    result = size * piece.function.dtype.itemsize
    return max(peak, held + working + 2 * result)
