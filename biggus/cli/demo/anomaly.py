"""The maps that the demo computes: mean, standard deviation and anomaly."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import biggus
from biggus.cli.demo.models import sample_folder

LAST_YEARS = 10


def lazy_maps(array: biggus.Array, last: int) -> list[biggus.Array]:
    """Return mean, standard deviation, and anomaly of the last elements, along the first axis.

    Examples
    --------
    >>> a = biggus.ArrayAdapter(np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 2.0]]))
    >>> [values.tolist() for values in biggus.ndarrays(lazy_maps(a, 1))[::2]]
    [[3.0, 4.0], [2.0, -2.0]]
    """
    mean = array.mean(axis=0)
    return [mean, array.std(axis=0), array[-last:].mean(axis=0) - mean]


def open_air(cache: biggus.Cache) -> biggus.Array:
    """Open 240 years of temperatures of North America."""
    path = sample_folder() / "E1_north_america.nc"
    return biggus.open(path, "air_temperature", cache=cache)


def maps_of_library() -> list[npt.NDArray[Any]]:
    """Return the same maps, computed by NumPy from values that the netCDF library reads."""
    import netCDF4

    with netCDF4.Dataset(sample_folder() / "E1_north_america.nc") as dataset:
        air = np.ma.getdata(dataset["air_temperature"][...]).astype(np.float64)
    mean = air.mean(axis=0)
    return [mean, air.std(axis=0), air[-LAST_YEARS:].mean(axis=0) - mean]
