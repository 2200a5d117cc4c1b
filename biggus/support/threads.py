"""A pool of daemon threads for reads that wait, which do not delay the end of the program.

The standard library's pool joins its threads when the interpreter ends, so an interrupted
program would wait for the time-out of a server that hangs.  These threads may be cut off
at any point: they read, and a cache entry that they write appears whole or not at all.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from biggus.support.forks import in_children

Item = TypeVar("Item")
Result = TypeVar("Result")

WAKING_SECONDS = 0.2
"""How often a waiting thread wakes up: to notice an interrupt on every system, and to check
its deadline."""

PARTING_SECONDS = 1.0
"""How long the end of the program waits for running calls.  Local reads are done by then; a
thread should not be cut off inside a native library."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise a KeyboardInterrupt as such, even if it comes while a lock is being taken.

    When an interrupt arrives just as a waiting thread takes its lock again, Python releases
    the lock twice, and a RuntimeError hides the KeyboardInterrupt.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


@functools.cache
def _parting_until() -> float:
    """Return when the end of the program stops waiting, for all pools: counted from first use."""
    return time.monotonic() + PARTING_SECONDS


class WaitingThreads(Executor):
    """An executor of daemon threads; one is started when there is work and no idle thread.

    A forked child starts with none: the threads stay with the parent.

    Parameters
    ----------
    most : int
        The largest number of threads.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._reset()
        in_children(self._reset)
        atexit.register(self._part)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # One item for each idle thread.  A semaphore is written in Python: an interrupt between
        # two of its steps would leave it locked for ever.
        self._idle: SimpleQueue[None] = SimpleQueue()
        self._starting = threading.Lock()
        self._count = 0
        self._calls = 0
        self._changed = threading.Condition()
        self._local = threading.local()

    @property
    def inside(self) -> bool:
        """Whether the caller is one of the pool's threads, which must not wait for others."""
        return getattr(self._local, "inside", False)

    def submit(
        self, function: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> Future[Result]:
        """Call `function` in a thread; cancelling the future takes it out of the queue.

        Raises
        ------
        RuntimeError
            If the pool has no thread and cannot start one.
        """
        future: Future[Result] = Future()
        self._queue.put(partial(_call, future, partial(function, *args, **kwargs)))
        try:
            self._idle.get_nowait()
        except Empty:
            with self._starting:
                if self._count < self.most:
                    name = f"biggus-read-{self._count + 1}"
                    try:
                        threading.Thread(target=self._work, name=name, daemon=True).start()
                        self._count += 1
                    except RuntimeError:  # the interpreter is ending, or there are too many
                        if not self._count:
                            future.cancel()  # else one of the pool's threads makes the call
                            raise
        return future

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``function(item)`` for each item, computed side by side.

        The calls see the caller's context, such as its options.  The first failure is raised,
        and calls that have not started are cancelled.
        """
        # A thread of the pool that waited for others could wait for itself.
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
                self._idle.put(None)
                call = self._queue.get()
            with self._changed:
                self._calls += 1
            call()
            del call  # it may hold much memory, and the next call may come late
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def _part(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()  # calls that have not started never will
        with self._changed:
            self._changed.wait_for(
                lambda: not self._calls, max(0.0, _parting_until() - time.monotonic())
            )


def _call(future: Future[Result], function: Callable[[], Result]) -> None:
    """Call a function, and set its result or error on the future."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        settle = partial(future.set_result, function())
    except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
        settle = partial(future.set_exception, error)
    # A waiter that is interrupted while it takes its lock releases that twice, see
    # `interruptible`; the RuntimeError then appears in this thread, where nothing is wrong.
    with contextlib.suppress(RuntimeError):
        settle()
    del settle, future  # the error's traceback holds this frame: avoid a reference cycle
