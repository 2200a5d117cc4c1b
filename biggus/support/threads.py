"""The threads that wait: one pool a process, whose threads never hold up its end.

The standard library's pool joins its threads when the interpreter ends, so a
program that was interrupted would sit out the time-out of a server that hangs.
What these threads do may be cut off at any point: they read, and what they
write to a cache appears whole or not at all.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import threading
import time
from concurrent.futures import Executor, Future, as_completed
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.support.forks import in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

WAKING_SECONDS = 0.2
"""How often whoever waits looks up: for an interrupt, which is so noticed on every system, or to
see whether there is time left."""

PARTING_SECONDS = 1.0
"""For how long the end of the program waits for calls that are being made.  Local
reads are over by then; to be cut off inside a native library is no good end."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt be one, whenever it comes.

    If it comes just when a thread that waits takes its lock again, Python releases that
    twice, and raises a RuntimeError over the KeyboardInterrupt.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


class _Parting:
    """The time that the end of the program has for all pools together."""

    _ends: float | None = None

    def left(self) -> float:
        """Return the seconds that are left, from when it was first asked."""
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + PARTING_SECONDS
        return max(0.0, self._ends - now)


_parting = _Parting()


class WaitingThreads(Executor):
    """An executor of daemon threads, started when there is work and none is idle.

    In a forked child it starts afresh: the threads stayed with the parent.

    Parameters
    ----------
    most : int
        How many threads there may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._reset()
        in_children(self._reset)
        atexit.register(self._part)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._starting = threading.Lock()
        self._count = 0
        self._calls = 0
        self._changed = threading.Condition()
        self._local = threading.local()

    @property
    def inside(self) -> bool:
        """Whether the caller is one of the threads: then it must not wait for another."""
        return getattr(self._local, "inside", False)

    def submit(
        self, function: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> Future[Result]:
        """Have a thread call `function`; cancelling the future takes it out of the queue."""
        future: Future[Result] = Future()
        self._queue.put(partial(_call, future, partial(function, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            with self._starting:
                if self._count < self.most:
                    self._count += 1
                    name = f"biggus-read-{self._count}"
                    threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return what `function` gives for each item; called for several at once.

        What holds where it is asked for, as options, holds in these calls.  The first failure is
        raised, and what has not begun never does.
        """
        # A thread that waited for the others could wait for itself.
        if len(items) < 2 or self.inside:
            return [function(item) for item in items]
        futures = [self.submit(contextvars.copy_context().run, function, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _work(self) -> None:
        self._local.inside = True
        while True:
            try:
                call = self._queue.get_nowait()
            except Empty:
                self._idle.release()
                call = self._queue.get()
            with self._changed:
                self._calls += 1
            call()
            del call  # it may hold much, and the next may be long in coming
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def _part(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()  # what has not begun never will
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, _parting.left())


def _call(future: Future[Result], function: Callable[[], Result]) -> None:
    """Call a function, and settle its future."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        settle = partial(future.set_result, function())
    except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
        settle = partial(future.set_exception, error)
    # Whoever waits may be interrupted just when it takes its lock, which then
    # comes to be released twice: Python says so here, where nothing is wrong.
    with contextlib.suppress(RuntimeError):
        settle()
    del settle, future  # an error holds this frame, which is not to hold the error
