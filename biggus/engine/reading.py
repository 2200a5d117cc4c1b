"""Reading: the pieces of a node, into an array.

Pieces whose source waits are read by the threads of one pool a process, with a
bounded number under way; what is at hand, by the caller; those of sources
that compute by a few threads, one a core, if there is much of it.
The first failure cancels the rest.
"""

from __future__ import annotations

import contextvars
import itertools
import logging
import math
import sys
import time
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus import options, progress
from biggus.errors import MemoryBudgetError
from biggus.nodes import LONGEST_READ, Combination, Read
from biggus.options import MOST_WORKERS
from biggus.planning import AT_ONCE, piece_bytes, reading_bytes
from biggus.region import Selection
from biggus.threads import WaitingThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.nodes import Node, Piece
    from biggus.source import Box, Values

_log = logging.getLogger("biggus.engine")

WAITING_THREADS = 32
"""How many reads may wait at once.  A source may allow fewer."""

_PATIENCE_SECONDS = 0.5
"""After so long without anything coming of it, whoever waits reads a piece itself."""

_MUCH = 16 * 2**20
"""Bytes; so much, and more, is shared among threads though it does not wait."""

waiting = WaitingThreads(WAITING_THREADS)
computing = WaitingThreads(MOST_WORKERS)


def whole(node: Node) -> Values | None:
    """Read all of a node, piece by piece.

    Returns
    -------
    ndarray or MaskedArray
        Fresh and writable, in C order, of the node's shape and dtype; a
        MaskedArray if the node is masked.
    None
        If its pieces take more memory to compute than the options allow.

    Raises
    ------
    SourceError
        If a read fails; the others are cancelled.
    MemoryBudgetError
        If no memory can hold it.
    """
    everything = Selection.identity(node.shape)
    if 0 in node.shape:
        return Result(node).values()
    nbytes = math.prod(node.shape) * node.dtype.itemsize
    if nbytes > sys.maxsize:
        raise MemoryBudgetError(f"{nbytes} bytes are more than memory can hold: slice it first")
    pieces = node.pieces(everything, everything)
    first = next(pieces)
    if isinstance(first, Combination) and piece_bytes(first) > options.current().memory:
        return None
    if first.put is everything:  # not cut anywhere: there is no other
        return _only(node, first)
    result = Result(node)
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


def block(node: Node, get: Selection) -> Values:
    """Return the values of a non-empty selection of a node, to be computed with.

    They may lie in memory that others hold, in any order: they are not to be
    written to.
    """
    everything = Selection.identity(get.shape)
    pieces = node.pieces(get, everything)
    first = next(pieces)
    if first.put is everything:
        return _load(first)
    result = Result(node, get.shape)
    _run(itertools.chain([first], pieces), result, _unseen)
    return result.values()


def _load(piece: Piece) -> Values:
    if isinstance(piece, Read):
        return piece.load()
    assert isinstance(piece, Combination)
    return piece.finish([block(node, get) for node, get in piece.operands])


def _unseen(nbytes: int) -> None:
    """Progress within a block is nobody's concern."""


class Result:
    """The array that the parts of a node's values are pasted into.

    Parameters
    ----------
    node : Node
        Whose values they are.
    shape : tuple of int, optional
        That of the array; the node's, if not given.
    """

    concurrent = True
    """Disjoint parts may be pasted from several threads at once."""

    def __init__(self, node: Node, shape: tuple[int, ...] | None = None) -> None:
        self.node = node
        self.data: npt.NDArray[Any] = np.empty(node.shape if shape is None else shape, node.dtype)
        self.mask = np.zeros(self.data.shape, bool) if node.masked else None

    def paste(self, put: Selection, values: Values) -> None:
        """Put values, in the shape of the dims of `put`, where that says."""
        if isinstance(values, np.ma.MaskedArray):
            put.put_into(self.data, values.data)
            if self.mask is not None:
                put.put_into(self.mask, np.ma.getmaskarray(values))
        else:
            put.put_into(self.data, values)

    def write(self, box: Box, values: Values) -> None:
        """Put the values of a box where they go."""
        self.paste(Selection.of_box(box), values)

    def values(self) -> Values:
        """Return the array, with its mask if values can be missing."""
        if self.mask is None:
            return self.data
        return _masked(self.node, self.data, self.mask)


def _masked(node: Node, data: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Values:
    array: np.ma.MaskedArray[Any, Any] = np.ma.MaskedArray(data, mask=mask)
    if node.fill_value is not None:
        array.fill_value = node.fill_value
    return array


def _only(node: Node, piece: Piece) -> Values:
    """Return the values of a piece that is the whole result, without pasting them."""
    values = _load(piece)
    mask = None
    data = values
    if isinstance(values, np.ma.MaskedArray):
        data, mask = values.data, np.ma.getmaskarray(values)
    fresh = not isinstance(piece, Read) or piece.source.fresh
    if not (fresh and _owned(data)):
        data = np.array(data, order="C", copy=True, subok=False)
    if not node.masked:
        return data
    own = np.zeros(node.shape, bool) if mask is None else np.array(mask, order="C")
    return _masked(node, data, own)


def _owned(data: npt.NDArray[Any]) -> bool:
    """Tell whether an array of a fresh read is all there is of its memory."""
    base = data.base
    return (
        data.flags.c_contiguous
        and data.flags.writeable
        and (base is None or (isinstance(base, np.ndarray) and base.nbytes == data.nbytes))
    )


def _run(pieces: Iterator[Piece], result: Result, advance: Callable[[int], None]) -> int:
    """Read all pieces into `result`; return how many there were."""
    itemsize = result.data.dtype.itemsize

    def done(piece: Piece) -> None:
        advance(math.prod(piece.put.shape) * itemsize)

    def read(piece: Piece) -> None:
        unmasked = result.mask is None
        if not (unmasked and isinstance(piece, Read) and piece.load_into(result.data)):
            result.paste(piece.put, _load(piece))
        done(piece)

    groups = _groups(result, read)
    count = 0
    try:
        for piece in pieces:
            count += 1
            group = groups[piece.waits]
            if group is None:
                read(piece)
            elif (values := _at_hand(piece)) is not None:
                result.paste(piece.put, values)
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
) -> tuple[_UnderWay | None, _UnderWay | None]:
    """Return what pieces are given to that compute, and that wait; None: the caller's thread.

    A thread of a pool that waited for the pool could wait for itself.
    """
    waiters = None
    if not waiting.inside:
        waiters = _UnderWay(waiting, read, AT_ONCE, reading_bytes())
    computers = None
    if not (waiting.inside or computing.inside) and (most := _computers(result)) > 1:
        computers = _UnderWay(computing, read, most, None)
    return computers, waiters


def _at_hand(piece: Piece) -> Values | None:
    return piece.at_hand() if isinstance(piece, Read) and piece.waits else None


def _computers(result: Result) -> int:
    """Return how many threads are to share what does not wait."""
    if result.data.nbytes < _MUCH:
        return 1
    current = options.current()
    return max(1, min(current.workers, current.memory // (4 * LONGEST_READ)))


class _UnderWay:
    """The pieces of one evaluation that were given to the threads of a pool.

    Parameters
    ----------
    pool : WaitingThreads
    read : callable
        What a thread does with a piece.
    most : int
        How many pieces may be under way.
    room : int or None
        How many bytes they may take together, if there are several.
    """

    def __init__(
        self, pool: WaitingThreads, read: Callable[[Piece], None], most: int, room: int | None
    ) -> None:
        self._pool = pool
        self._read = read
        self._most = most
        self._room = room
        self._taken = 0
        self._pieces: dict[Future[None], tuple[Piece, int]] = {}

    def add(self, piece: Piece) -> None:
        """Give a piece to a thread; wait for others before, if it has no room beside them."""
        takes = 0 if self._room is None else piece_bytes(piece)
        while self._pieces and self._room is not None and self._taken + takes > self._room:
            self._settle(FIRST_COMPLETED)
        # The options of the caller hold for its reads.
        context = contextvars.copy_context()
        future = self._pool.submit(context.run, self._read, piece)
        self._pieces[future] = (piece, takes)
        self._taken += takes
        if len(self._pieces) >= self._most:
            self._settle(FIRST_COMPLETED)

    def _taken_out(self, future: Future[None]) -> Piece:
        piece, takes = self._pieces.pop(future)
        self._taken -= takes
        return piece

    def finish(self) -> None:
        """Wait for all."""
        while self._pieces:
            self._settle(FIRST_EXCEPTION)

    def _settle(self, when: str) -> None:
        """Wait, and raise what failed.

        If nothing comes of waiting, a piece that no thread has begun is read here:
        all threads may be busy with reads that wait for this very evaluation.
        """
        done, waiting = wait(self._pieces, _PATIENCE_SECONDS, return_when=when)
        for future in done:
            self._taken_out(future)
            future.result()
        if done:
            return
        for future in waiting:
            if future.cancel():
                self._read(self._taken_out(future))
                return

    def cancel(self) -> None:
        """Have nothing begun that has not been.

        What has begun goes on into an array that nobody will see: to wait for it
        would hold back an error for as long as a server hangs.
        """
        for future in self._pieces:
            future.cancel()
