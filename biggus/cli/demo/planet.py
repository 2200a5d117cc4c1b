"""The planet: 2**18 map tiles as one array of 52 GB."""

from __future__ import annotations

import io
import urllib.request
from typing import Any

import numpy as np
import numpy.typing as npt

import biggus

ZOOM = 9
TENERIFE = (slice(54600, 55000), slice(59300, 59850))
"""Rows and columns of the island at zoom 9."""


class TileLoader:
    """One map tile, with the attributes and the method that biggus needs.

    Parameters
    ----------
    template : str
        The URL of a tile, with ``{z}``, ``{x}`` and ``{y}``.
    x, y, z : int
        The position of the tile.
    """

    __slots__ = ("template", "xyz")

    dtype = np.dtype(np.uint8)
    shape = (256, 256, 3)

    def __init__(self, template: str, x: int, y: int, z: int) -> None:
        self.template = template
        self.xyz = x, y, z

    def __getitem__(self, box: Any) -> npt.NDArray[np.uint8]:
        import PIL.Image

        x, y, z = self.xyz
        url = self.template.format(x=x, y=y, z=z)
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the demo's server
            image = np.asarray(PIL.Image.open(io.BytesIO(answer.read())))
        values: npt.NDArray[np.uint8] = image[box]
        return values


def tile_array(template: str) -> biggus.Array:
    """Return all tiles of a zoom level as one array."""
    columns = []
    for x in range(2**ZOOM):
        column = [biggus.ArrayAdapter(TileLoader(template, x, y, ZOOM)) for y in range(2**ZOOM)]
        columns.append(biggus.LinearMosaic(column, axis=0))
    return biggus.LinearMosaic(columns, axis=1)


def degrees(row: float, column: float) -> tuple[float, float]:
    """Return the latitude and the longitude of an edge of a pixel, in degrees.

    Examples
    --------
    >>> latitude, longitude = degrees(0, 0)
    >>> round(latitude, 6), longitude
    (85.051129, -180.0)
    """
    side = 256 * 2**ZOOM
    latitude = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * row / side))))
    return float(latitude), column / side * 360 - 180


def pixels(line: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the columns and rows of points given in degrees east and north; shape (n, 2)."""
    side = 256 * 2**ZOOM
    across = (line[:, 0] + 180) / 360
    down = (1 - np.arcsinh(np.tan(np.radians(line[:, 1]))) / np.pi) / 2
    return np.stack([across * side, down * side], axis=-1)
