"""What waits for a server: several requests at once, by the threads of one pool a process."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, TypeVar

from biggus.threads import WaitingThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

REQUESTS = 16
"""How many requests the reads of Zarr stores keep under way, besides their own threads'."""

threads = WaitingThreads(REQUESTS)


def each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what `function` gives for each item; called for several at once.

    The first failure is raised, and what has not begun never does.
    """
    # A thread of the pool that waited for the pool could wait for itself.
    if len(items) < 2 or threads.inside:
        return [function(item) for item in items]
    futures = [threads.submit(contextvars.copy_context().run, function, item) for item in items]
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
