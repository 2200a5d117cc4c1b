"""Timing two or more pieces of work in turn, so that they meet the same machine."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(NamedTuple):
    """One line of the table."""

    work: str
    measured: str
    limit: str
    ratio: float
    most: float | None

    @property
    def met(self) -> str:
        """Whether the ratio is within what it must reach."""
        if self.most is None:
            return ""
        return "yes" if self.ratio <= self.most else "**no**"


def timed(work: Callable[[], Any], calls: int = 1) -> float:
    """Return the seconds of one call, from `calls` of them, without what they leave behind."""
    gc.collect()
    kept = None
    started = time.perf_counter()
    for _ in range(calls):
        kept = work()
    seconds = (time.perf_counter() - started) / calls
    del kept
    return seconds


def quickest(
    works: dict[str, Callable[[], Any]], rounds: int = 7, calls: int = 1
) -> dict[str, float]:
    """Return the least seconds of each piece of work, of interleaved rounds.

    What else the machine does takes time that is no part of the work.
    """
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            seconds[name].append(timed(work, calls))
    return {name: min(times) for name, times in seconds.items()}


def show(seconds: float) -> str:
    """Format seconds with a fitting unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
