"""Seventeen years of invented weather: an expression larger than the memory budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import biggus
from biggus.sources.base import Source
from biggus.sources.memory import MemorySource

YEAR = 365
DAYS = 17 * YEAR
_CHUNK = YEAR // 5
"""The days of a chunk, a whole fraction of a year."""

LATITUDE = np.arange(-89, 90, 2, dtype=np.float32)
LONGITUDE = np.arange(-179, 180, 2, dtype=np.float32)


def weather() -> biggus.Array:
    """Return the lazy temperatures of each day and place, 403 MB."""
    days = biggus.ArrayAdapter(np.arange(DAYS, dtype=np.float32), chunks=(_CHUNK,))[:, None, None]
    north = np.radians(LATITUDE)[:, None]
    east = np.radians(LONGITUDE)
    climate = 50 * np.cos(north) ** 2 - 22 + 3 * np.sin(2 * east + north) * np.cos(north)
    season = np.cos((days - 200) * np.float32(2 * np.pi / YEAR)) * (12 * np.sin(north))
    storms = 9 * np.sin(2 * north) ** 2 * (1 + 0.5 * np.cos(2 * east + 1))
    fronts = np.sin(5 * east + 3 * north - days * np.float32(0.9)) * storms
    pattern = 1 + 3 * np.sin(north) ** 4 + 0.7 * np.cos(2 * east - 1) * np.cos(north)
    warming = days * (pattern / np.float32(DAYS))
    temperature: biggus.Array = climate + season + fronts + warming
    return temperature


class _GlobalMap(MemorySource):
    """A map in memory with units, and with its coordinates as siblings."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        super().__init__(values)
        self.dims = ("latitude", "longitude")
        self.attributes = {"long_name": "Temperature", "units": "degree_C"}

    def sibling(self, name: str) -> Source | None:
        axes = {"latitude": (LATITUDE, "degrees_north"), "longitude": (LONGITUDE, "degrees_east")}
        if name not in axes:
            return None
        values, units = axes[name]
        coordinate = MemorySource(values)
        coordinate.attributes = {"units": units}
        return coordinate


def on_globe(values: npt.NDArray[Any]) -> biggus.Array:
    """Return a map of the weather as an array with units and coordinates."""
    return biggus.ArrayAdapter(_GlobalMap(values))


def maps_by_slabs(store: Path) -> list[npt.NDArray[Any]]:
    """Return the three maps, computed by NumPy, one year of the store at a time.

    This is how one would compute them without biggus.  Sums are accurate enough, for the values are
    neither large nor many.
    """
    import zarr

    array: Any = zarr.open_array(store, mode="r")
    total = np.zeros(array.shape[1:])
    squares = np.zeros(array.shape[1:])
    for start in range(0, DAYS, YEAR):
        slab = np.asarray(array[start : start + YEAR], np.float64)
        total += slab.sum(axis=0)
        squares += np.square(slab).sum(axis=0)
    mean = total / DAYS
    return [mean, np.sqrt(squares / DAYS - mean**2), slab.mean(axis=0) - mean]
