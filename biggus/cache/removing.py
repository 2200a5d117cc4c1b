"""Removing many files, in several threads if that is slow.

Removing a file takes microseconds, or milliseconds on a disk that discards blocks or on a file
server.  Several threads can wait for that side by side.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from biggus.support.threads import WaitingThreads

_ALONE_SECONDS = 0.005
"""How long files are removed by the calling thread."""

_threads = WaitingThreads(8)


def remove_all(remove: Callable[[str], None], keys: Iterable[str]) -> None:
    """Call `remove` once for each key, and return when all calls are done.

    Examples
    --------
    >>> remove_all(print, ["b", "a"])
    a
    b
    """
    queue = deque(sorted(keys))  # one folder after the other
    start = time.monotonic()
    while queue and time.monotonic() - start < _ALONE_SECONDS:
        remove(queue.popleft())

    def work(_: int) -> None:
        while True:
            try:
                key = queue.popleft()
            except IndexError:
                return
            remove(key)

    try:
        _threads.each(work, range(min(_threads.most, len(queue))))
    except RuntimeError:  # no thread can be started: the interpreter is ending, or there are many
        work(0)
