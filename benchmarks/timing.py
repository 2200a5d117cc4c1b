"""Timing of several pieces of work in turn, under the same conditions."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(NamedTuple):
    """A row of the table."""

    work: str
    measured: str
    limit: str
    ratio: float
    most: float | None

    @property
    def met(self) -> str:
        """Whether the ratio is within its limit."""
        if self.most is None:
            return ""
        return "yes" if self.ratio <= self.most else "**no**"


def timed(work: Callable[[], Any], calls: int = 1) -> float:
    """Return the seconds per call of `calls` calls, without freeing the last result."""
    gc.collect()
    result = None
    started = time.perf_counter()
    for _ in range(calls):
        result = work()
    seconds = (time.perf_counter() - started) / calls
    del result
    return seconds


def quickest(
    works: dict[str, Callable[[], Any]], rounds: int = 7, calls: int = 1
) -> dict[str, float]:
    """Return the least seconds of each piece of work over interleaved rounds.

    The minimum leaves out delays by other processes.
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


class Times(NamedTuple):
    """Wall seconds, and CPU seconds of all cores."""

    seconds: float
    cpu: float


def both_quickest(
    works: dict[str, Callable[[], Any]], rounds: int, before: Callable[[], object]
) -> dict[str, Times]:
    """Return the least times of each piece of work over interleaved rounds, after an untimed one.

    `before` is called, untimed, before each piece of work.
    """
    found: dict[str, list[Times]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            before()
            started, cpu = time.perf_counter(), time.process_time()
            result = work()
            measured = Times(time.perf_counter() - started, time.process_time() - cpu)
            del result
            if turn:
                found[name].append(measured)
    return {name: Times(*map(min, zip(*measured, strict=True))) for name, measured in found.items()}
