"""Footprints: the most memory that computing a part of a node takes.  Nothing is read."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from biggus import options
from biggus.graph import SLAB, Combination, Leaf, Node, Read, pieces_of
from biggus.indexing.grid import whole
from biggus.indexing.selection import Selection
from biggus.planning.partial_reads import rows_at_once
from biggus.planning.schedule import Schedule
from biggus.statistics import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Piece
    from biggus.planning.schedule import ScheduleEntry

AT_ONCE = 64
"""The most io-bound reads that are under way in a block."""

_PART = 8
"""The reads under way in one block take no more than this fraction, 1/8, of the memory."""

_WORKING = 5
"""The copies of its block that a function along axes makes, such as the median."""

_MOST_PIECES = 1000
"""The number of pieces that are looked at; the others are much like them."""


class Footprint(NamedTuple):
    """The memory that computing some values takes, in bytes."""

    peak: int
    """The most while they are computed."""

    kept: int
    """The size of the values themselves."""


def footprint(schedule: Schedule) -> Footprint:
    """Return the memory that executing a schedule takes, if all wanted values are kept."""
    entries = schedule.entries
    uses = [entry.uses for entry in entries]
    held = peak = 0
    for entry in entries:
        found = _of_entry(entry)
        peak = max(peak, held + found.peak)
        held += found.kept
        if entry.in_parts:
            continue  # the operands are needed until the values have been accumulated
        for number in entry.operands[entry.pasted :]:
            uses[number] -= 1
            if not uses[number]:
                held -= _kept_bytes(entries[number])
    return Footprint(peak, held)


def _kept_bytes(entry: ScheduleEntry) -> int:
    return values_bytes(entry.node, math.prod(entry.selection.shape))


def _of_entry(entry: ScheduleEntry) -> Footprint:
    """Return the memory that one entry takes in addition to its operands."""
    kept = _kept_bytes(entry)
    if entry.in_parts:
        kept = min(kept, values_bytes(entry.node, LONG))
    if entry.reads is not None:
        return Footprint(kept + _under_way(entry.reads), kept)
    if entry.piece is not None:
        return Footprint(kept + _working_of(entry.piece), 0 if entry.pasted else kept)
    if entry.steps:
        return Footprint(kept + sum(values_bytes(step.node, SLAB) for step in entry.steps), kept)
    if entry.in_parts:
        return _of_rows(entry.node, entry.selection, kept)
    if entry.operands:
        # Masks are joined, and results may be cast.
        return Footprint(kept + (2 * kept if entry.node.masked else kept), kept)
    return _of_pieces(entry.node, entry.selection, kept)


def streamed_footprint(node: Node, size: int) -> Footprint:
    """Return the memory that reading `size` values of a node run by run takes.

    It is a long run, its copy in native byte order, and the box that is read of a source that
    cannot be read in runs.
    """
    window = values_bytes(node, min(size, LONG))
    return Footprint(window * (2 if node.dtype.isnative else 3), window)


def values_bytes(node: Node, size: int) -> int:
    """Return the bytes of `size` values of a node, and of their mask."""
    return size * (node.dtype.itemsize + node.masked)


def _of_pieces(node: Node, selection: Selection, kept: int) -> Footprint:
    if isinstance(node, Leaf) and node.source.in_memory:
        return Footprint(kept, kept)
    everything = Selection.identity(selection.shape)
    pieces = list(itertools.islice(pieces_of(node, selection, everything), _MOST_PIECES))
    under_way = _under_way(pieces)
    return Footprint(under_way if len(pieces) == 1 else under_way + kept, kept)


def _of_rows(node: Node, selection: Selection, kept: int) -> Footprint:
    """Return the memory of a block that is read a few rows at a time."""
    axis, at_once = rows_at_once(selection.shape)
    box = list(whole(selection.shape))
    box[axis] = slice(0, at_once, 1)
    rows = selection.compose(Selection.of_box(tuple(box)))
    return Footprint(kept + _of_pieces(node, rows, 0).peak, kept)


def _under_way(pieces: Sequence[Piece]) -> int:
    """Return the most memory that reading pieces into one array takes, the array aside."""
    # Io-bound reads are under way together.
    peaks = sorted([piece_bytes(piece) for piece in pieces[:_MOST_PIECES]], reverse=True)
    under_way = max(peaks, default=0)
    if any(piece.io_bound for piece in pieces):
        under_way = max(under_way, min(sum(peaks[:AT_ONCE]), reading_bytes()))
    return under_way


def reading_bytes() -> int:
    """Return how many bytes the io-bound reads of a block may take together.

    A single read may take more.
    """
    return options.current().memory // _PART


def piece_bytes(piece: Piece) -> int:
    """Return the most memory that a piece takes while it is read or computed."""
    if isinstance(piece, Read):
        read = piece.source.peak_bytes(piece.box)
        size = math.prod(piece.out_selection.shape)
        return read + sum(2 * size * (step.dtype.itemsize + step.masked) for step in piece.steps)
    assert isinstance(piece, Combination)
    found = footprint(Schedule(piece.operands))
    return max(found.peak, found.kept + _working_of(piece))


def _working_of(piece: Combination) -> int:
    """Return the memory that computing a piece takes in addition to its operands."""
    done = list(piece.steps)
    working = 0
    if piece.function is not None and getattr(piece.function, "slabwise", False):
        working = math.prod(piece.out_selection.shape) * piece.function.dtype.itemsize
    elif piece.function is not None:
        done.append(piece.function)
        copies = _WORKING if len(piece.operands) == 1 else 1
        working = copies * sum(
            values_bytes(node, math.prod(selection.shape)) for node, selection in piece.operands
        )
        most = getattr(piece.function, "working_bytes", None)
        working = working if most is None else min(working, most)
    size = math.prod(piece.out_selection.shape)
    return working + 2 * size * max([step.dtype.itemsize for step in done], default=0)
