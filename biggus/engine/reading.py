"""Reading the pieces of a node into an array.

Io-bound pieces are read by the threads of one pool of the process, a bounded number at once.
Other pieces are read by the caller; or by a few threads, one for each core, if they are large.
The first failure cancels the rest.
"""

from __future__ import annotations

import itertools
import logging
import math
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import options
from biggus.engine.concurrent_reads import ConcurrentReads, computing, waiting
from biggus.engine.fused import FusedBlock
from biggus.engine.result import Result, own
from biggus.engine.rows import Rows
from biggus.errors import MemoryBudgetError
from biggus.graph import LONGEST_READ, Combination, Node, Piece, Read, pieces_of, spread
from biggus.indexing.reduction_blocks import BLOCK
from biggus.indexing.selection import DimensionMap, Selection
from biggus.planning.footprint import AT_ONCE, footprint, piece_bytes, reading_bytes
from biggus.planning.schedule import Schedule, ScheduleEntry
from biggus.support import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from biggus.engine.repeated import Repeated
    from biggus.sources.base import Values

    _Reader: TypeAlias = Callable[[Node, Selection], Values]
    _Found: TypeAlias = Values | Result | FusedBlock | Rows

_log = logging.getLogger("biggus.engine")

_MUCH = 16 * 2**20
"""The fewest bytes of pieces that are not io-bound and are shared among threads."""


def whole(node: Node, room: npt.NDArray[Any] | None = None) -> Values | None:
    """Read all of a node, piece by piece.

    Parameters
    ----------
    node : Node
    room : ndarray, optional
        Memory of its shape and dtype, in C order, in which the values may be returned.

    Returns
    -------
    ndarray or MaskedArray
        Writable, in C order; fresh, unless it is `room`; a MaskedArray if the node is masked.
    None
        If computing the node takes more memory than the options allow.

    Raises
    ------
    SourceError
        If a read fails; the others are cancelled.
    MemoryBudgetError
        If the values are larger than any memory.
    """
    everything = Selection.identity(node.shape)
    if 0 in node.shape:
        return Result(node).values()
    nbytes = math.prod(node.shape) * node.dtype.itemsize
    if nbytes > sys.maxsize:
        raise MemoryBudgetError(f"{nbytes} bytes are more than memory can hold: slice it first")
    if node.combined and math.prod(node.shape) <= BLOCK:
        schedule = Schedule([(node, everything)])
        if footprint(schedule).peak > options.current().memory:
            return None
        [values] = carried_out(schedule)
        return own(node, values, owns_data=not schedule.entries[-1].is_read)
    pieces = pieces_of(node, everything, everything)
    first = next(pieces)
    if isinstance(first, Combination) and piece_bytes(first) > options.current().memory:
        return None
    if first.out_selection is everything:  # the only piece
        if room is not None and isinstance(first, Read) and first.load_into(room):
            return room
        owns_data = not isinstance(first, Read) or first.source.owns_data
        return own(node, _load(first), owns_data)
    result = Result(node, room=room)
    started = time.perf_counter()
    with progress.reporting(options.current().progress, result.data.nbytes) as advance:
        count = _run(itertools.chain([first], pieces), result, advance)
    _log.debug(
        "read %d pieces, %d bytes in %.1f ms",
        count,
        result.data.nbytes,
        1e3 * (time.perf_counter() - started),
    )
    return result.values()


def block(node: Node, selection: Selection) -> Values:
    """Return the values of a non-empty selection of a node.

    They may be in any memory order, and share memory with others: they must not be modified.
    """
    if node.combined:
        values: Values
        [values] = carried_out(Schedule([(node, selection)]))
        return values
    return _pieces_of(node, selection)


def _pieces_of(node: Node, selection: Selection) -> Values:
    # In the order of the axes, values can be read straight into the array.
    order = _transposed(selection)
    if order:
        values = _pieces_of(node, selection.compose(Selection.permuted(selection.shape, order)))
        back: Values = values.transpose(np.argsort(order))
        return back
    everything = Selection.identity(selection.shape)
    pieces = pieces_of(node, selection, everything)
    first = next(pieces)
    if first.out_selection is everything:
        return _load(first)
    result = Result(node, selection.shape)
    _run(itertools.chain([first], pieces), result, _unseen)
    return result.values()


def _transposed(selection: Selection) -> list[int] | None:
    """Return the dims in the order of the axes, if each is along an axis and the order differs."""
    order = [m.dim for m in selection.maps if isinstance(m, DimensionMap)]
    return order if len(order) == len(selection.shape) and order != sorted(order) else None


def _load(piece: Piece) -> Values:
    if isinstance(piece, Read):
        return piece.load()
    assert isinstance(piece, Combination)
    return piece.finish(list(carried_out(Schedule(piece.operands))))


def carried_out(
    schedule: Schedule, read: _Reader = _pieces_of, repeated: Repeated | None = None
) -> Iterator[Any]:
    """Execute a schedule; yield the values that it asks for, each as soon as it is computed.

    Values are released after their last use.  The yielded values must not be modified.
    Values that are accumulated in parts come as a `FusedBlock`, which has not been computed yet.

    Parameters
    ----------
    schedule : Schedule
    read : callable, optional
        Reads a selection of a node that is not computed.
    repeated : Repeated, optional
        The store of repeated values that the schedule was made with.
    """
    if repeated is not None:
        repeated.fill(schedule.before, partial(_carried_out, read=read, repeated=repeated))
    return _carried_out(schedule, read, repeated)


def _carried_out(schedule: Schedule, read: _Reader, repeated: Repeated | None) -> Iterator[Any]:
    entries = schedule.entries
    found: list[_Found | None] = [None] * len(entries)
    left = [entry.uses for entry in entries]

    def taken(number: int) -> _Found:
        """Return the values of an entry, and release them after their last use."""
        values = found[number]
        assert values is not None
        left[number] -= 1
        if not left[number]:
            found[number] = None
        return values

    done = 0
    for root in schedule.roots:
        while done <= root:
            entry = entries[done]
            if entry.kept:
                assert repeated is not None
                found[done] = repeated.values(entry.node, entry.selection)
            elif entry.reads is not None:
                found[done] = _pasted(entry, entry.reads)
            elif entry.is_read:
                how = partial(Rows, read=read) if entry.in_parts else read
                found[done] = how(entry.node, entry.selection)
            else:
                result = taken(entry.operands[0]) if entry.pasted else None
                operands = entry.operands[entry.pasted :]
                blocks = [_spread(taken(number), entries[number]) for number in operands]
                found[done] = _computed(entry, blocks, result, _is_free(entry, entries))
                del blocks, result
            done += 1
        yield _spread(taken(root), entries[root])


def _spread(values: _Found, entry: ScheduleEntry) -> Any:
    if isinstance(values, (FusedBlock, Rows)):
        return values
    return spread(values.values() if isinstance(values, Result) else values, entry.selection.shape)


def _is_free(entry: ScheduleEntry, entries: Sequence[ScheduleEntry]) -> bool:
    """Return whether the only operand of an entry has no other use, so it may be overwritten."""
    if len(entry.operands) != 1:
        return False
    operand = entries[entry.operands[0]]
    return operand.uses == 1 and bool(operand.operands) and operand.node.owns_data


def _computed(
    entry: ScheduleEntry, blocks: list[Values], result: _Found | None, free: bool
) -> _Found:
    piece = entry.piece
    if entry.steps:
        found = FusedBlock(entry.selection.shape, entry.steps, blocks)
        return found if entry.in_parts else found.values()
    if piece is None:
        return entry.node.computed(blocks, free)
    if result is None:
        return piece.finish(blocks)
    assert isinstance(result, Result)
    result.paste(piece.out_selection, piece.finish(blocks))
    return result


def _pasted(entry: ScheduleEntry, reads: list[Read]) -> Result:
    result = Result(entry.node, entry.selection.shape)
    _run(iter(reads), result, _unseen)
    return result


def _unseen(nbytes: int) -> None:
    """Ignore the progress within a block."""


def _run(pieces: Iterator[Piece], result: Result, advance: Callable[[int], None]) -> int:
    """Read all pieces into `result`; return how many there are."""
    itemsize = result.data.dtype.itemsize

    def done(piece: Piece) -> None:
        advance(math.prod(piece.out_selection.shape) * itemsize)

    def read(piece: Piece) -> None:
        if not (isinstance(piece, Read) and piece.load_into(result.data, result.mask)):
            result.paste(piece.out_selection, _load(piece))
        done(piece)

    groups = _groups(result, read)
    count = 0
    try:
        for piece in pieces:
            count += 1
            group = groups[piece.io_bound]
            if group is None:
                read(piece)
            elif (
                piece.io_bound
                and isinstance(piece, Read)
                and (values := piece.cached_read()) is not None
            ):
                result.paste(piece.out_selection, values)
                done(piece)
            else:
                group.add(piece)
        for group in filter(None, groups):
            group.finish()
    except BaseException:
        for group in filter(None, groups):
            group.cancel()
        raise
    return count


def _groups(
    result: Result, read: Callable[[Piece], None]
) -> tuple[ConcurrentReads | None, ConcurrentReads | None]:
    """Return the threads that read pieces which compute, and which wait; None for the caller.

    A thread of a pool never waits for that pool, as it might wait for itself.
    """
    waiters = None
    if not waiting.inside:
        waiters = ConcurrentReads(waiting, read, AT_ONCE, reading_bytes())
    computers = None
    if not (waiting.inside or computing.inside) and (most := _computers(result)) > 1:
        computers = ConcurrentReads(computing, read, most, None)
    return computers, waiters


def _computers(result: Result) -> int:
    """Return how many threads share pieces that are not io-bound."""
    if result.data.nbytes < _MUCH:
        return 1
    current = options.current()
    return max(1, min(current.workers, current.memory // (4 * LONGEST_READ)))
