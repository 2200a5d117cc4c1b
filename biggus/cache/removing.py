"""Removing many files, in several threads if that is slow.

Removing a file takes microseconds, or milliseconds on a disk that discards blocks or on a file
server.  Several threads can wait for that side by side.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

_ALONE_SECONDS = 0.005
"""How long files are removed without helper threads."""
_HELPERS = 7
_SHARE = 4
"""The fewest files for which a helper thread is started."""


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
    helpers = [
        threading.Thread(
            target=_work, args=(remove, queue), name="biggus-cache-remove", daemon=True
        )
        for _ in range(min(_HELPERS, len(queue) // _SHARE))
    ]
    started = []
    with contextlib.suppress(RuntimeError):  # the interpreter is ending, or there are too many
        for helper in helpers:
            helper.start()
            started.append(helper)
    _work(remove, queue)
    for helper in started:
        helper.join()


def _work(remove: Callable[[str], None], queue: deque[str]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            remove(queue.popleft())
