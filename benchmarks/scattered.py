"""Scattered rows, columns and points of files without chunks, compared with the plain libraries.

The fastest method of a library is mostly to read everything and select in memory.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import netCDF4
import numpy as np

import biggus
from benchmarks.datasets import VARIABLE, dataset, remove, slabs
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.setup import Setup, Size

MOST = {"HDF5, contiguous": 1.2, "netCDF-3": 2.5}
"""The longest time of each line, as a multiple of the library's fastest method.

netCDF-C reads the classic files.
"""


class Places(NamedTuple):
    """The selected rows, columns and points."""

    rows: np.ndarray
    columns: np.ndarray
    points: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Places:
        """Choose a fifth of the rows, a sixth of the columns, and up to 5,000 points."""
        rng = np.random.default_rng(0)
        rows, columns = (
            np.sort(rng.choice(n, n // part, replace=False))
            for n, part in zip(shape[1:], (5, 6), strict=True)
        )
        size = math.prod(shape)
        points = np.unravel_index(rng.choice(size, min(5000, size // 100)), shape)
        return cls(rows, columns, points)


METHODS: dict[str, dict[str, Callable[[Any, Places], np.ndarray]]] = {
    "rows x columns": {
        "biggus": lambda a, at: a.oindex[:, at.rows, at.columns].ndarray(),
        "all": lambda values, at: values[:][:, at.rows][:, :, at.columns],
        "all columns": lambda values, at: values[:, at.rows][:, :, at.columns],
    },
    "points": {
        "biggus": lambda a, at: a[at.points].ndarray(),
        "all": lambda values, at: values[:][at.points],
        "one by one": lambda values, at: np.array(
            [values[point] for point in zip(*at.points, strict=True)]
        ),
    },
}


def run(setup: Setup) -> list[Row]:
    """Compare rows x columns at all times, and points, of HDF5 and classic netCDF files."""
    rows = []
    with setup.folder() as folder:
        contiguous = dataset(folder, "contiguous", setup.size)
        classic = _classic(contiguous.with_suffix(".nc"), setup.size)
        with h5py.File(contiguous) as hdf5, netCDF4.Dataset(classic) as netcdf:
            netcdf[VARIABLE].set_auto_maskandscale(False)
            for label, path, plain in (
                ("HDF5, contiguous", contiguous, hdf5[VARIABLE]),
                ("netCDF-3", classic, netcdf[VARIABLE]),
            ):
                lazy = biggus.open(path, VARIABLE)
                rows += [_compared(label, pattern, lazy, plain, setup.size) for pattern in METHODS]
    return rows


def _classic(path: Path, size: Size) -> Path:
    """Return the path of the dataset in a classic file, and write it if it does not exist yet."""
    if not path.exists():
        partial_path = path.with_name(f"{path.name}.partial")
        remove(partial_path)
        with netCDF4.Dataset(partial_path, "w", format="NETCDF3_64BIT_OFFSET") as file:
            for dim, n in zip("tyx", size.shape, strict=True):
                file.createDimension(dim, n)
            variable = file.createVariable(VARIABLE, "f4", tuple("tyx"))
            for first, values in slabs(size, 0):
                variable[first : first + len(values)] = values
        partial_path.rename(path)
    return path


def _compared(label: str, pattern: str, lazy: biggus.Array, plain: Any, size: Size) -> Row:
    places = Places.of(size.shape)
    works = {
        name: partial(method, lazy if name == "biggus" else plain, places)
        for name, method in METHODS[pattern].items()
    }
    expected = works["all"]()
    for name, work in works.items():
        if not np.array_equal(work(), expected):
            raise RuntimeError(f"{label}: {name} gives other values")
    times = quickest(works, rounds=size.rounds)
    seconds = times.pop("biggus")
    best = min(times, key=times.__getitem__)
    against = f"the plain library, {best}, {show(times[best])}"
    return Row(f"{label}: {pattern}", show(seconds), against, seconds / times[best], MOST[label])
