"""Running zarr-python's coroutines without a detour.

zarr-python sends each read to an event loop on a thread of its own, which
sends each decode to a third thread: right for many chunks at once, but for a
single one two hand-overs that take longer than the read.  :func:`run_here`
runs a coroutine, and all that it would send to threads, in the thread that
calls it.
"""

from __future__ import annotations

import asyncio
import atexit
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.support.forks import in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Result = TypeVar("Result")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that does itself, at once, what it is asked to hand to a thread."""

    def run_in_executor(  # type: ignore[override] # it also takes what a loop of C may take
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:  # the one exception that a future refuses
            future.set_exception(RuntimeError(str(error)))
        except Exception as error:  # noqa: BLE001 - it is the future's to raise
            future.set_exception(error)
        return future


_idle: list[_Loop] = []
_inherited: list[_Loop] = []


def can_run_here() -> bool:
    """Tell whether this thread is free to run an event loop (it is not within another)."""
    return asyncio._get_running_loop() is None  # noqa: SLF001 - documented, for this purpose


def run_here(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run `coroutine` in this thread to its end, and return its result.

    Loops are kept for reuse: as many as ever ran at once.
    """
    try:
        loop = _idle.pop()
    except IndexError:
        loop = _Loop()
    try:
        result = loop.run_until_complete(coroutine)
    except BaseException:
        # What it left undone must not go on within another's read.
        loop.close()
        raise
    _idle.append(loop)
    return result


def _close_all() -> None:
    while _idle:
        _idle.pop().close()


def _forget() -> None:
    # A loop's selector is shared with the parent: neither use nor close it.
    _inherited.extend(_idle)
    _idle.clear()


atexit.register(_close_all)
in_children(_forget)
