"""The properties of netCDF dimensions, cached during a visit to a file.

The netCDF library finds the length of an unlimited dimension by looking at all its variables,
each time that it is asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from biggus.backends.native import hdf5_lock


class DimensionFacts(NamedTuple):
    """The properties of a dimension."""

    name: str
    length: int
    unlimited: bool


_known: dict[Any, DimensionFacts] = {}  # by netCDF4 Dimension, during a visit
_visits = 0


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Assume that dimensions do not change within a with block."""
    global _visits  # noqa: PLW0603 - the library is global as well
    with hdf5_lock:
        _visits += 1
    try:
        yield
    finally:
        with hdf5_lock:
            _visits -= 1
            if not _visits:
                _known.clear()


def dimension_facts(dimension: Any) -> DimensionFacts:
    """Return the properties of a netCDF4 Dimension.  The caller holds the lock."""
    facts = _known.get(dimension)
    if facts is None:
        facts = DimensionFacts(dimension.name, len(dimension), bool(dimension.isunlimited()))
        if _visits:
            _known[dimension] = facts
    return facts
