"""Rendering tiles of 256 by 256 pixels of an array, for a map in a browser.

At the greatest zoom a pixel is an element; each zoom below halves rows and columns.  A tile is read
from the level of the pyramid that fills its pixels, else from every n-th element, within a budget
of bytes.
"""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.support.extras import needing
from biggus.support.recent import RecentValues
from biggus.viewer.layer_choice import ScreenView, chosen, coarse_values, values_in
from biggus.viewer.layers import Layers
from biggus.viewer.maps.colours import distinct, places_of_flags, with_opacity

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.sources.base import Values
    from biggus.viewer.picture import Picture

SIDE = 256
"""The side of a tile in pixels."""

_KEPT_BYTES = 32 * 2**20
"""The bytes of rendered tiles that are kept: those of a few screens."""

_MISSING = 255
"""The number of the transparent colour of a tile."""

_LAYERS = 64
"""The number of indices along other axes whose layers are kept."""


class Colouring(NamedTuple):
    """The colours of numbers: a colour map of matplotlib, and its limits."""

    cmap: str
    vmin: float
    vmax: float


class Flagging(NamedTuple):
    """The colours of flags: one each; other values are transparent."""

    flags: tuple[tuple[float, str], ...]

    @property
    def colours(self) -> list[str]:
        """The colours as ``#rrggbb``."""
        from matplotlib.colors import to_hex

        return [to_hex(colour) for colour in distinct(len(self.flags))]


class TileOutside(LookupError):  # noqa: N818 - a lookup that fails
    """A tile does not exist."""


class Renderer:
    """Renders the tiles of a picture; it is thread-safe.

    Parameters
    ----------
    picture : Picture
        The picture.
    sample_bytes : int
        The most bytes to read for a tile with more elements than pixels.
    upward : bool, optional
        Whether the first row is at the bottom.
    """

    def __init__(self, picture: Picture, sample_bytes: int, upward: bool = False) -> None:
        self.picture = picture
        self.sample_bytes = sample_bytes
        self.upward = upward
        self._layers_of = lru_cache(maxsize=_LAYERS)(self._make_layers)
        self._made: RecentValues[bytes] = RecentValues(_KEPT_BYTES)

    @property
    def zooms(self) -> int:
        """The greatest zoom, at which pixels are elements; at zoom 0 there is one tile."""
        return max(0, math.ceil(math.log2(max(1, *self.picture.shape[:2]) / SIDE)))

    def tile(
        self,
        zoom: int,
        x: int,
        y: int,
        index: tuple[int, ...],
        colouring: Colouring | Flagging | None,
    ) -> bytes:
        """Return a tile as a PNG file.

        Parameters
        ----------
        zoom, x, y : int
            The place of the tile: x counts columns of tiles, y rows from the top.
        index : tuple of int
            The index along the other axes.
        colouring : Colouring, Flagging or None
            The colours of numbers or flags; None if the values are colours already.

        Raises
        ------
        TileOutside
            If there is no such tile.
        SourceError
            If a read fails.
        """
        key = (zoom, x, y, index, colouring)
        tile = self._made.find(key)
        if tile is None:
            tile = _png(self._pixels(zoom, x, y, index), colouring)
            self._made.keep(key, tile, len(tile))
        return tile

    def values(self, index: tuple[int, ...]) -> Values:
        """Return a sample of the values, to choose colours."""
        return coarse_values(self._layers_of(index), self.picture.shape)

    def _pixels(self, zoom: int, x: int, y: int, index: tuple[int, ...]) -> Values:
        rows, columns = self.picture.shape[:2]
        if not 0 <= zoom <= self.zooms:
            raise TileOutside
        element = 2.0 ** (self.zooms - zoom)
        top, left = y * SIDE * element, x * SIDE * element
        if x < 0 or y < 0 or top >= rows or left >= columns:
            raise TileOutside
        starts = top + np.arange(SIDE) * element, left + np.arange(SIDE) * element
        outside = (starts[0] >= rows)[:, None] | (starts[1] >= columns)
        down, across = (each + element / 2 for each in starts)
        ends = top, min(top + SIDE * element, float(rows))
        if self.upward:
            down, ends = rows - down, (rows - ends[1], rows - ends[0])
        window = (*ends, left, min(left + SIDE * element, float(columns)))
        layer = chosen(self._layers_of(index), ScreenView(window, (element, element)))
        span = layer.span(window)
        values = np.ma.asarray(values_in(layer, span))
        places = [
            (middles // factor).astype(np.intp).clip(first, stop - 1) - first
            for middles, factor, (first, stop) in zip(
                (down, across), layer.factors, span, strict=True
            )
        ]
        shown = values[places[0]][:, places[1]]
        mask = np.ma.getmaskarray(shown).copy()
        mask[outside] = True
        return np.ma.MaskedArray(shown.data, mask=mask)

    def _make_layers(self, index: tuple[int, ...]) -> Layers:
        return Layers(self.picture.planes(index), index, self.sample_bytes)


def _png(values: Values, colouring: Colouring | Flagging | None) -> bytes:
    with needing("PIL", "viewer", "making tiles"):
        from PIL import Image
    if colouring is None:
        return _saved(Image.fromarray(with_opacity(values), "RGBA"))
    if isinstance(colouring, Flagging):
        places = places_of_flags(values, colouring.flags)
        numbers = np.ma.filled(places, _MISSING).astype(np.uint8)
        palette = bytes.fromhex("".join(colour[1:] for colour in colouring.colours))
        palette = palette.ljust(3 * (_MISSING + 1), b"\0")
    else:
        numbers = _numbered(np.ma.getdata(values), np.ma.getmaskarray(values), colouring)
        palette = _palette(colouring.cmap)
    image = Image.fromarray(numbers, "P")
    image.putpalette(palette, "RGB")
    return _saved(image, transparency=_MISSING)


def ramp(cmap: str) -> bytes:
    """Return a vertical colour bar as a PNG file, with the greatest value on top."""
    numbers = np.arange(_MISSING - 1, -1, -1, dtype=np.float64)[:, None]
    return _png(numbers, Colouring(cmap, 0.0, float(_MISSING)))


def _saved(image: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1, **how)
    return file.getvalue()


def _numbered(
    data: npt.NDArray[Any], missing: npt.NDArray[np.bool_], colouring: Colouring
) -> npt.NDArray[np.uint8]:
    """Return the number of the colour of each value."""
    numbers = data.astype(np.float64)
    span = colouring.vmax - colouring.vmin or 1.0
    with np.errstate(all="ignore"):
        share = (numbers - colouring.vmin) / span * _MISSING
        indices = np.nan_to_num(share, nan=0.0).clip(0, _MISSING - 1).astype(np.uint8)
    indices[missing | np.isnan(numbers)] = _MISSING
    return indices


def _palette(cmap: str) -> bytes:
    from matplotlib import colormaps

    colours = colormaps[cmap](np.linspace(0, 1, _MISSING))[:, :3]
    rounded: bytes = np.rint(colours * 255).astype(np.uint8).tobytes()
    return rounded + b"\0\0\0"
