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


class Taken(NamedTuple):
    """How long a piece of work takes: on the clock, and of all cores."""

    seconds: float
    cpu: float


def both_quickest(
    works: dict[str, Callable[[], Any]], rounds: int, before: Callable[[], object]
) -> dict[str, Taken]:
    """Return the least that each piece of work takes, over interleaved rounds after one not timed.

    Before each piece something is done that does not count.
    """
    found: dict[str, list[Taken]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            before()
            started, cpu = time.perf_counter(), time.process_time()
            kept = work()
            taken = Taken(time.perf_counter() - started, time.process_time() - cpu)
            del kept
            if turn:
                found[name].append(taken)
    return {name: Taken(*map(min, zip(*taken, strict=True))) for name, taken in found.items()}
