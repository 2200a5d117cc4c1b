"""Running coroutines of zarr-python in the calling thread.

zarr-python sends each read to an event loop on its own thread, which sends each decoding to a
third thread.  That suits many chunks at once, but for a single one the two hand-overs take
longer than the read.  :func:`run_here` runs a coroutine, and all that it would send to other
threads, in the calling thread.
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
    """An event loop that runs at once what it is asked to run in an executor."""

    def run_in_executor(  # type: ignore[override] # the base class has more precise types
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:  # the one exception that a future refuses
            future.set_exception(RuntimeError(str(error)))
        except Exception as error:  # noqa: BLE001 - raised by the future
            future.set_exception(error)
        return future


_idle: list[_Loop] = []
_inherited: list[_Loop] = []


def can_run_here() -> bool:
    """Return whether this thread can run an event loop, as none is running in it."""
    return asyncio._get_running_loop() is None  # noqa: SLF001 - documented, for this purpose


def run_here(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in this thread, and return its result.

    Event loops are reused.
    """
    try:
        loop = _idle.pop()
    except IndexError:
        loop = _Loop()
    try:
        result = loop.run_until_complete(coroutine)
    except BaseException:
        # Unfinished tasks must not continue in the next read.
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
