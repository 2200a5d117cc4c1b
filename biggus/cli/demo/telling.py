"""Printing, timing and checking the steps of the demo, and the arrays that it reads twice."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from typing import TYPE_CHECKING, Any

from biggus.errors import BiggusError
from biggus.study.receipts import chunk_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.cli.demo.models import Climate, Ocean


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


def expect(seen: bool, expectation: str) -> None:
    """Raise a DemoError if an expectation is not met."""
    if not seen:
        raise DemoError(f"the demo expected that {expectation}, but that is not so")


@dataclasses.dataclass
class Reading:
    """The arrays that are read twice, with the time that took."""

    planet: Timed
    ocean: Timed
    climate: Timed

    def digests(self) -> dict[str, str]:
        """Return digests of the values."""
        ocean: Ocean = self.ocean.value
        climate: Climate = self.climate.value
        return {
            "planet": digest(self.planet.value),
            "ocean": digest(ocean.temperatures, ocean.latitude, ocean.longitude),
            "climate": digest(climate.first, climate.last, climate.series),
        }


def digest(*arrays: Any) -> str:
    """Return the SHA-256 of arrays: of their dtypes, shapes, values and masks.

    Examples
    --------
    >>> import numpy as np
    >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros(3))
    (True, False)
    """
    return hashlib.sha256("".join(map(chunk_digest, arrays)).encode()).hexdigest()
