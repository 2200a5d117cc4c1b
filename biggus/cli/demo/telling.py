"""Printing, timing and checking the steps of the demo."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Callable


class DemoError(BiggusError):
    """A step of the demo has an unexpected result."""


@dataclasses.dataclass
class Timed:
    """A value, and the time it took to compute."""

    value: Any
    seconds: float


def timed(function: Callable[[], Any]) -> Timed:
    """Return the value of a function, and the time it took."""
    started = time.perf_counter()
    value = function()
    return Timed(value, time.perf_counter() - started)


def say(title: str) -> None:
    """Print the title of a chapter."""
    print(f"\n{title}", flush=True)


def expect(seen: bool, what: str) -> None:
    """Raise a DemoError if an expectation is not met."""
    if not seen:
        raise DemoError(f"the demo expected that {what}, but that is not so")
