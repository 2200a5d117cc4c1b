"""Closing idle handles, so that programs can write to files that are no longer read.

libhdf5 and libnetcdf must not be entered by two threads at once, and a program may call them
itself in its main thread.  So the thread here only watches the clock, and the main thread closes
the handles, between two bytecode instructions.  If the main thread is waiting, as in an idle
notebook, this thread closes them, but only for libraries with a lock of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import selectors
import sys
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from biggus.support.forks import between_forks, in_children
from biggus.support.threads import PARTING_SECONDS

IDLE_SECONDS = 1.0
"""A handle that was not used for this long is closed."""

_LEAST_SECONDS, _PERIOD_SECONDS = 0.1, 1.0
"""The shortest and the longest sleep of the thread."""

_waiting_in = frozenset({selectors.__file__, threading.__file__})
"""The files in which the innermost frame of a waiting thread is."""


class IdlePool(Protocol):
    """A pool of handles that are closed when they are idle."""

    guarded: bool

    def __len__(self) -> int: ...

    def due(self) -> float | None:
        """Return when the next handle is due to be closed; None if there is none."""

    def close_idle(self) -> None:
        """Close handles that are due, as soon as no thread is inside the library."""


class _Clock:
    """A thread that runs as long as handles are open."""

    def __init__(self) -> None:
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        self._reset()
        in_children(self._reset)
        atexit.register(self._stop)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def attend(self, pool: IdlePool) -> None:
        """Watch the handles of a pool, one of which was just opened."""
        with self._lock:
            self._pools.add(pool)
            if self._thread is None and not self._stopped.is_set():
                thread = threading.Thread(target=self._run, name="biggus-idle", daemon=True)
                # Too many threads, or the interpreter is ending: files stay open then.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        lingers = False  # stay for another round, as files may be opened one after the other
        while True:
            with self._lock:
                pools = [pool for pool in self._pools if len(pool)]
                if lingers and not pools:
                    self._thread = None
                    return
            lingers = not pools
            dues = [due for due in (pool.due() for pool in pools) if due is not None]
            seconds_left = min(dues, default=math.inf) - time.monotonic()
            # Handles that are due stay open until no thread is inside the library.
            if self._stopped.wait(min(max(seconds_left, _LEAST_SECONDS), _PERIOD_SECONDS)):
                return
            _close(pools)

    def _stop(self) -> None:
        self._stopped.set()
        thread = self._thread  # may be set to None meanwhile
        if thread is not None:
            thread.join(PARTING_SECONDS)


def _close(pools: list[IdlePool]) -> None:
    now = time.monotonic()
    ripe = [pool for pool in pools if (due := pool.due()) is not None and due <= now]
    if not ripe:
        return
    for pool in ripe:
        if pool.guarded and _main_waits():
            pool.close_idle()
    _main.call(partial(_close_all, pools))


def _close_all(pools: list[IdlePool]) -> None:
    for pool in pools:
        pool.close_idle()


def _main_waits() -> bool:
    """Return whether the main thread is waiting, and thus not inside a library."""
    main = threading.main_thread().ident
    frame = None if main is None else sys._current_frames().get(main)  # noqa: SLF001 - documented
    return frame is None or frame.f_code.co_filename in _waiting_in


class _Main:
    """Makes the main thread call a function between two bytecode instructions.

    No call is requested while another is pending or running.  In Python 3.11 a call requested
    while another runs makes a profiled or traced main thread spin for ever: at the start of a
    function it checks for pending calls until there are none, and makes none within another.
    """

    def __init__(self) -> None:
        self._reset()
        self._add: Callable[[Any, None], int] | None = None
        with contextlib.suppress(ImportError, AttributeError):  # no CPython, or without ctypes
            with between_forks():
                import ctypes

            self._add = ctypes.pythonapi.Py_AddPendingCall
            self._calling = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(self._work)
        in_children(self._reset)

    def _reset(self) -> None:
        self._task: Callable[[], object] = lambda: None
        self._pending = False

    def call(self, task: Callable[[], object]) -> None:
        """Make the main thread call `task`, which must not raise, as soon as possible."""
        if self._add is not None and not self._pending:  # else the last call is not over
            self._task, self._pending = task, True
            if self._add(self._calling, None):
                self._pending = False  # too many calls are pending; it is tried again later

    def _work(self, _: Any) -> int:
        try:
            if self._pending:
                self._task()
        finally:  # the task may be interrupted
            # No other thread may run between this and the end, so the task is kept until the next.
            self._pending = False
        return 0


_main = _Main()
clock = _Clock()
