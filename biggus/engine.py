"""The engine: when and where pieces are read.

Pieces whose source waits are read by the threads of one pool a process, with a
bounded number under way; those of sources that compute, and what is at hand, by
the caller.
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
from biggus.region import Selection
from biggus.source import checked
from biggus.threads import WaitingThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.nodes import Node, Piece
    from biggus.source import Values

_log = logging.getLogger("biggus.engine")

WAITING_THREADS = 32
"""How many reads may wait at once.  A source may allow fewer."""

_WINDOW = 2 * WAITING_THREADS

_PATIENCE_SECONDS = 0.5
"""After so long without anything coming of it, whoever waits reads a piece itself."""


_pool = WaitingThreads(WAITING_THREADS)


def evaluate(node: Node) -> Values:
    """Read and compute all of a node.

    Returns
    -------
    ndarray or MaskedArray
        Fresh and writable, in C order, of the node's shape and dtype; a
        MaskedArray if the node is masked.

    Raises
    ------
    SourceError
        If a read fails; the others are cancelled.
    MemoryBudgetError
        If no memory can hold it.
    """
    whole = Selection.identity(node.shape)
    if 0 in node.shape:
        return _Result(node).values()
    nbytes = math.prod(node.shape) * node.dtype.itemsize
    if nbytes > sys.maxsize:
        raise MemoryBudgetError(f"{nbytes} bytes are more than memory can hold: slice it first")
    pieces = node.pieces(whole, whole)
    first = next(pieces)
    if first.put is whole:  # not cut anywhere: there is no other
        return _only(node, first)
    result = _Result(node)
    started = time.perf_counter()
    count = _run(itertools.chain([first], pieces), result)
    _log.debug(
        "read %d pieces, %d bytes in %.1f ms",
        count,
        result.data.nbytes,
        1e3 * (time.perf_counter() - started),
    )
    return result.values()


class _Result:
    """The array that pieces are pasted into."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.data: npt.NDArray[Any] = np.empty(node.shape, node.dtype)
        self.mask = np.zeros(node.shape, bool) if node.masked else None

    def paste(self, put: Selection, values: Values) -> None:
        if isinstance(values, np.ma.MaskedArray):
            put.put_into(self.data, values.data)
            if self.mask is not None:
                put.put_into(self.mask, np.ma.getmaskarray(values))
        else:
            put.put_into(self.data, values)

    def values(self) -> Values:
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
    values = piece.load()
    mask = None
    data = values
    if isinstance(values, np.ma.MaskedArray):
        data, mask = values.data, np.ma.getmaskarray(values)
    if not (piece.source.fresh and _owned(data)):
        data = np.array(data, order="C", copy=True, subok=False)
    if not node.masked:
        return data
    fresh = np.zeros(node.shape, bool) if mask is None else np.array(mask, order="C")
    return _masked(node, data, fresh)


def _owned(data: npt.NDArray[Any]) -> bool:
    """Tell whether an array of a fresh read is all there is of its memory."""
    base = data.base
    return (
        data.flags.c_contiguous
        and data.flags.writeable
        and (base is None or (isinstance(base, np.ndarray) and base.nbytes == data.nbytes))
    )


def _run(pieces: Iterator[Piece], result: _Result) -> int:
    """Read all pieces into `result`; return how many there were."""
    itemsize = result.data.dtype.itemsize
    with progress.reporting(options.current().progress, result.data.nbytes) as advance:

        def paste(piece: Piece, values: Values) -> None:
            result.paste(piece.put, values)
            advance(math.prod(piece.put.shape) * itemsize)

        def read(piece: Piece) -> None:
            paste(piece, piece.load())

        under_way = _UnderWay(read)
        count = 0
        try:
            for piece in pieces:
                count += 1
                # A thread of the pool that waited for the pool could wait for itself.
                if _pool.inside or not piece.source.waits:
                    read(piece)
                    continue
                at_hand = piece.source.at_hand(piece.box)
                if at_hand is not None:
                    paste(piece, piece.finish(checked(piece.source, piece.box, at_hand)))
                    continue
                under_way.add(piece)
                if len(under_way) >= _WINDOW:
                    under_way.settle(FIRST_COMPLETED)
            while under_way:
                under_way.settle(FIRST_EXCEPTION)
        except BaseException:
            under_way.cancel()
            raise
    return count


class _UnderWay:
    """The pieces of one evaluation that were given to the threads that wait."""

    def __init__(self, read: Callable[[Piece], None]) -> None:
        self._read = read
        self._pieces: dict[Future[None], Piece] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, piece: Piece) -> None:
        # The options of the caller hold for its reads.
        context = contextvars.copy_context()
        self._pieces[_pool.submit(context.run, self._read, piece)] = piece

    def settle(self, when: str) -> None:
        """Wait, and raise what failed.

        If nothing comes of waiting, a piece that no thread has begun is read here:
        all threads may be busy with reads that wait for this very evaluation.
        """
        done, waiting = wait(self._pieces, _PATIENCE_SECONDS, return_when=when)
        for future in done:
            del self._pieces[future]
            future.result()
        if done:
            return
        for future in waiting:
            if future.cancel():
                self._read(self._pieces.pop(future))
                return

    def cancel(self) -> None:
        """Have nothing begun that has not been.

        What has begun goes on into an array that nobody will see: to wait for it
        would hold back an error for as long as a server hangs.
        """
        for future in self._pieces:
            future.cancel()
