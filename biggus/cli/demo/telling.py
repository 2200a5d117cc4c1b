"""How the demo tells its story, and holds itself to it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Callable


class DemoError(BiggusError):
    """The demo did not show what it promises."""


@dataclasses.dataclass
class Timed:
    """Something that was read, and how long that took."""

    value: Any
    seconds: float


def timed(function: Callable[[], Any]) -> Timed:
    """Return what a function returns, and how long it took."""
    started = time.perf_counter()
    value = function()
    return Timed(value, time.perf_counter() - started)


def say(title: str) -> None:
    """Begin a chapter."""
    print(f"\n{title}", flush=True)


def expect(seen: bool, what: str) -> None:
    """Raise a DemoError if something is not as the demo tells it."""
    if not seen:
        raise DemoError(f"the demo expects that {what}, and it is not so")
