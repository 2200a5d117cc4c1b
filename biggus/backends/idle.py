"""Idle handles: files that nobody reads are let go, so that programs can write to them.

libhdf5 and libnetcdf must not be entered by two threads at once, and a program that calls
them itself, in the one thread that it has, knows nothing of others.  So a thread here looks at
the clock alone: handles are closed by the main thread, between two steps of whatever it
runs.  Only where that waits for something, as a notebook does for its user, does this
one close them itself, and of libraries alone whose own lock keeps others out.
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
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from biggus.support.forks import between_forks, in_children
from biggus.support.threads import PARTING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_SECONDS = 1.0
"""A handle that was not asked for since so long is closed."""

_LEAST_SECONDS, _PERIOD_SECONDS = 0.1, 1.0
"""For how long the thread sleeps at least, and at most."""

_waiting_in = frozenset({selectors.__file__, threading.__file__})
"""Where the innermost frame of a thread is that waits."""


class IdlePool(Protocol):
    """What has handles that are closed when they are idle."""

    guarded: bool

    def __len__(self) -> int: ...

    def due(self) -> float | None:
        """Return when the next handle will have been idle for long enough; None: there is none."""

    def close_idle(self) -> None:
        """Close what has been, as soon as no thread is inside the library."""


class _Clock:
    """A thread that is there as long as handles are open."""

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
        """See to the handles of a pool, one of which has just been opened."""
        with self._lock:
            self._pools.add(pool)
            if self._thread is None and not self._stopped.is_set():
                thread = threading.Thread(target=self._run, name="biggus-idle", daemon=True)
                # There may be too many, or the interpreter is ending: files stay open then.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        lingers = False  # where files are opened for a moment, there are none between two of them
        while True:
            with self._lock:
                pools = [pool for pool in self._pools if len(pool)]
                if lingers and not pools:
                    self._thread = None
                    return
            lingers = not pools
            dues = [due for due in (pool.due() for pool in pools) if due is not None]
            left = min(dues, default=math.inf) - time.monotonic()
            # What is due may not be closed before whoever is in the library leaves it.
            if self._stopped.wait(min(max(left, _LEAST_SECONDS), _PERIOD_SECONDS)):
                return
            _close(pools)

    def _stop(self) -> None:
        self._stopped.set()
        thread = self._thread  # which may end meanwhile
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
    """Tell whether the main thread waits for something, and is in no library."""
    main = threading.main_thread().ident
    frame = None if main is None else sys._current_frames().get(main)  # noqa: SLF001 - documented
    return frame is None or frame.f_code.co_filename in _waiting_in


class _Main:
    """Has the main thread call something, as a finalizer is called: between two steps.

    It is asked for no more before it is through.  In Python 3.11 a call that is asked for while
    another is made has the main thread, if it is profiled or traced, spin for ever: it looks
    at the first step of a function whether there are calls to make, once more if there are,
    and makes none within another.
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
        self._task: Callable[[], object] = _nothing
        self._asked = False

    def call(self, task: Callable[[], object]) -> None:
        """Have it call `task`, which must not raise, as soon as it can."""
        if self._add is not None and not self._asked:  # else it is not through with the last one
            self._task, self._asked = task, True
            if self._add(self._calling, None):
                self._asked = False  # it has too many to call; there will be another time

    def _work(self, _: Any) -> int:
        if self._asked:
            self._task()
        # No other thread runs between this and the end, and so the task is let go of later.
        self._asked = False
        return 0


def _nothing() -> None:
    pass


_main = _Main()
clock = _Clock()
