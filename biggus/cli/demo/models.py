"""The ocean and the climate: model output in NetCDF files of the package iris-sample-data."""

from __future__ import annotations

import dataclasses
import importlib.resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import biggus

_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_DAYS_A_YEAR, _DAYS_A_MONTH = 360, 30
"""The models' calendar: twelve months of thirty days."""

ATLANTIC = (slice(None), slice(90, 290), slice(180, 310))
"""The Atlantic, in all months: rows from 62 S to the north, columns from 106 W to 23 E."""


_OCEAN = "nemo_1m_*_grid-T.nc"


def sample_folder() -> Path:
    """Return the folder of the sample data."""
    return Path(str(importlib.resources.files("iris_sample_data"))) / "sample_data"


@dataclasses.dataclass
class Ocean:
    """Temperatures of the ocean of some months, and their coordinates."""

    array: biggus.Array
    months: list[str]
    temperatures: np.ma.MaskedArray[Any, Any]
    latitude: npt.NDArray[Any]
    longitude: npt.NDArray[Any]
    beside: tuple[biggus.Array, ...]
    """Other arrays that were read."""


def ocean_files() -> list[Path]:
    """Return the monthly files of the ocean, sorted."""
    return sorted((sample_folder() / "NEMO").glob(_OCEAN))


def read_ocean(cache: biggus.Cache, samples: Path | None = None) -> Ocean:
    """Join the monthly files along time, and read the Atlantic."""
    files: Any = ocean_files() if samples is None else samples / "NEMO" / _OCEAN
    tos = biggus.open_many(files, "tos", axis=0, cache=cache)
    time = biggus.open_many(files, "time_centered", axis=0, cache=cache)
    days = time.ndarray() / 86400
    # The grid of the first file is that of all.
    rows, columns = ATLANTIC[1:]
    latitude, longitude = (
        biggus.open_many(files, name, stack=True, cache=cache)[0, rows, columns]
        for name in ("nav_lat", "nav_lon")
    )
    return Ocean(
        tos,
        list(map(_month, days)),
        tos[ATLANTIC].masked_array(),
        latitude.ndarray(),
        longitude.ndarray(),
        (time, latitude, longitude),
    )


_BESIDE = ("latitude", "longitude", "time")


@dataclasses.dataclass
class Climate:
    """Temperatures of the climate: maps of some years, and the series of one place."""

    array: biggus.Array
    first: npt.NDArray[Any]
    last: npt.NDArray[Any]
    place: tuple[int, int]
    series: npt.NDArray[Any]
    beside: tuple[biggus.Array, ...]
    """Other arrays that were read."""

    @property
    def change(self) -> npt.NDArray[Any]:
        """The mean of the last years minus that of the first, in kelvin."""
        difference: npt.NDArray[Any] = self.last.mean(axis=0, dtype=np.float64) - self.first.mean(
            axis=0, dtype=np.float64
        )
        return difference


def read_climate(cache: biggus.Cache, samples: Path | None = None) -> Climate:
    """Open 240 years of temperatures; read the first and last years, and those of one place."""
    path = (samples or sample_folder()) / "E1_north_america.nc"
    air = biggus.open(path, "air_temperature", cache=cache)
    beside = tuple([biggus.open(path, name, cache=cache) for name in _BESIDE])
    latitude, longitude, _ = (array.ndarray() for array in beside)
    # Winnipeg.
    row = int(np.abs(latitude - 49.9).argmin())
    column = int(np.abs(longitude - (360 - 97.1)).argmin())
    return Climate(
        array=air,
        first=air[:20].ndarray(),
        last=air[-20:].ndarray(),
        place=(row, column),
        series=air[:, row, column].ndarray(),
        beside=beside,
    )


def _month(day: float) -> str:
    """Return month and year of a day since the start of the year 1900.

    Examples
    --------
    >>> _month(115 * 360 + 45)
    'February 2015'
    """
    year, day_of_year = divmod(day, _DAYS_A_YEAR)
    return f"{_MONTHS[int(day_of_year // _DAYS_A_MONTH)]} {1900 + int(year)}"
