"""Pieces under way: those of one evaluation that are read by the threads of a pool."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING

from biggus.options import MOST_WORKERS
from biggus.planning.footprint import piece_bytes
from biggus.support import deadlines
from biggus.support.single_flight import Reader
from biggus.support.threads import WaitingThreads

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.graph import Piece

WAITING_THREADS = 32
"""The most io-bound reads at once in a process.  A source may allow fewer."""

_STALLED_SECONDS = 0.5
"""How long a caller waits without any result before it reads a piece itself."""

waiting = WaitingThreads(WAITING_THREADS)
computing = WaitingThreads(MOST_WORKERS)


class ConcurrentReads:
    """The pieces of one evaluation that are read by the threads of a pool.

    Parameters
    ----------
    pool : WaitingThreads
    read : callable
        Called with a piece, in a thread of the pool.
    most : int
        The most pieces under way.
    room : int or None
        The most bytes that several pieces under way may take together; None for no limit.
    """

    def __init__(
        self, pool: WaitingThreads, read: Callable[[Piece], None], most: int, room: int | None
    ) -> None:
        self._pool = pool
        self._read = read
        self._most = most
        self._room = room
        self._bytes = 0
        self._reader = Reader()
        self._pieces: dict[Future[None], tuple[Piece, int]] = {}

    def add(self, piece: Piece) -> None:
        """Give a piece to a thread; first wait for others, as long as they leave no room for it."""
        takes = 0 if self._room is None else piece_bytes(piece)
        while self._pieces and self._room is not None and self._bytes + takes > self._room:
            self._settle(FIRST_COMPLETED)
        # The reads have the options of the caller.
        context = self._reader.context()
        future = self._pool.submit(context.run, self._read, piece)
        self._pieces[future] = (piece, takes)
        self._bytes += takes
        if len(self._pieces) >= self._most:
            self._settle(FIRST_COMPLETED)

    def _remove(self, future: Future[None]) -> Piece:
        piece, takes = self._pieces.pop(future)
        self._bytes -= takes
        return piece

    def finish(self) -> None:
        """Wait for all."""
        while self._pieces:
            self._settle(FIRST_EXCEPTION)

    def _settle(self, when: str) -> None:
        """Wait until a piece is done, and raise its error.

        If none is done for a while, read one that no thread has begun: all threads may be busy
        with reads that wait for this very evaluation.
        """
        deadlines.check()
        done, waiting = wait(self._pieces, _STALLED_SECONDS, return_when=when)
        if done:
            while done:
                self._end(done.pop())
            return
        for future in waiting:
            if future.cancel():
                self._read(self._remove(future))
                return

    def _end(self, future: Future[None]) -> None:
        self._remove(future)
        try:
            future.result()
        finally:
            del future  # an error holds this frame, and would hold itself

    def cancel(self) -> None:
        """Cancel the pieces that no thread has begun.

        Others continue, into an array that is discarded: waiting for them would delay an error
        for as long as a server hangs.
        """
        self._reader.abandon()
        for future in self._pieces:
            future.cancel()
