"""Coastlines of Natural Earth, if Cartopy has them on this machine; nothing is downloaded."""

from __future__ import annotations

import importlib
import logging
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger("biggus.viewer")

_SCALES = ("110m", "50m", "10m")
"""The scales, coarsest first."""


def natural_earth(scale: str) -> tuple[npt.NDArray[Any], ...] | None:
    """Return the coastlines of the world; None if Cartopy or its file is missing.

    Parameters
    ----------
    scale : {"110m", "50m", "10m"}
        The coarsest acceptable scale; a finer one is used if it is the one available.

    Returns
    -------
    tuple of ndarray, each of shape (n, 2); None
        Lines, in degrees east (-180 to 180) and north.
    """
    if find_spec("cartopy") is None:
        return None
    try:
        found = (_file_of(each) for each in _SCALES[_SCALES.index(scale) :])
        path = next((path for path in found if path is not None), None)
        return None if path is None else _lines(path)
    except Exception as error:  # noqa: BLE001 - another package may have coastlines
        _log.warning("Cartopy's coastlines cannot be used: %s", error)
        return None


def _file_of(scale: str) -> Path | None:
    """Return the file of coastlines that Cartopy would use without downloading, if it exists."""
    # Imported by name: Cartopy is not a dependency.
    cartopy = importlib.import_module("cartopy")
    io = importlib.import_module("cartopy.io")
    importlib.import_module("cartopy.io.shapereader")  # registers the configuration
    which = ("shapefiles", "natural_earth", scale, "physical", "coastline")
    keeper = io.Downloader.from_config(which)
    named = {"resolution": scale, "category": "physical", "name": "coastline"}
    how = {"config": cartopy.config, **named}
    places = (keeper.pre_downloaded_path(how), keeper.target_path(how))
    return next((path for path in places if path is not None and path.is_file()), None)


@lru_cache(maxsize=len(_SCALES))
def _lines(path: Path) -> tuple[npt.NDArray[Any], ...]:
    reader = importlib.import_module("cartopy.io.shapereader").Reader(path)
    return tuple(
        np.asarray(part.coords, np.float64)[:, :2]
        for geometry in reader.geometries()
        for part in getattr(geometry, "geoms", [geometry])
    )
