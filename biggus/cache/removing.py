"""Removing many files: by several threads, where each of them waits for the disk.

To remove a file takes microseconds, or milliseconds where the disk is told of the blocks that
are free, or a server of the name.  What waits for that can wait for several at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ALONE_SECONDS = 0.005
"""What takes no longer is done before threads have been started."""
_HELPERS = 7
_SHARE = 4
"""Files at least that a thread is started for."""


def remove_all(remove: Callable[[str], None], keys: Iterable[str]) -> None:
    """Call `remove` once for each key; at the end all calls are over.

    Examples
    --------
    >>> remove_all(print, ["b", "a"])
    a
    b
    """
    left = deque(sorted(keys))  # a folder after the other
    begun = time.monotonic()
    while left and time.monotonic() - begun < _ALONE_SECONDS:
        remove(left.popleft())
    helpers = [
        threading.Thread(target=_work, args=(remove, left), name="biggus-cache-remove", daemon=True)
        for _ in range(min(_HELPERS, len(left) // _SHARE))
    ]
    started = []
    with contextlib.suppress(RuntimeError):  # the interpreter is ending, or there are too many
        for helper in helpers:
            helper.start()
            started.append(helper)
    _work(remove, left)
    for helper in started:
        helper.join()


def _work(remove: Callable[[str], None], left: deque[str]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            remove(left.popleft())
