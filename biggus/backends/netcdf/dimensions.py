"""Dimensions of netCDF files, which are asked once for what takes long to tell.

The netCDF library looks for the length of an unlimited dimension in all variables that
have it, each time that it is asked for.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.native import hdf5_lock

if TYPE_CHECKING:
    from collections.abc import Iterator


class DimensionFacts(NamedTuple):
    """What a dimension says of itself."""

    name: str
    length: int
    unlimited: bool


_known: dict[Any, DimensionFacts] = {}  # by netCDF4 Dimension, during a visit
_visits = 0


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Take dimensions to stay as they are, for the time of a with block."""
    global _visits  # noqa: PLW0603 - of the library, of which there is one
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
    """Return the facts of a netCDF4 Dimension.  The caller holds the lock."""
    facts = _known.get(dimension)
    if facts is None:
        facts = DimensionFacts(dimension.name, len(dimension), bool(dimension.isunlimited()))
        if _visits:
            _known[dimension] = facts
    return facts
