"""The pyramid of the zoom levels of a tile server."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus import api
from biggus.backends.tiles.presets import is_preset, preset_named
from biggus.pyramids.pyramid import Pyramid, attribution_of
from biggus.support.extras import needing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from biggus.array import Array


class Window(NamedTuple):
    """A part of a map of the world in Web Mercator.

    Attributes
    ----------
    slices : tuple of slice
        Its rows and columns at the requested zoom.
    extent : tuple of float
        The edges of its pixels in metres of Web Mercator (EPSG:3857), in the order of matplotlib:
        left, right, bottom, top.  They contain the requested part.
    """

    slices: tuple[slice, slice]
    extent: tuple[float, float, float, float]


class TilePyramid(Pyramid):
    """All zoom levels of a tile server.

    ``pyramid[zoom]`` is the array of a zoom level, as of ``biggus.open(template, zoom=zoom)``.

    Parameters
    ----------
    template : str
        As for :func:`biggus.open`.
    zooms : iterable of int, optional
        The zoom levels; by default 0 to 19, or those of a known server.
    cache : Cache or bool, optional
        As for :func:`biggus.open`.
    **options
        The options of :func:`biggus.open` for tiles.

    Raises
    ------
    OpenError
        If the template or an option cannot be used.
    ValueError
        If `zooms` is empty.

    Examples
    --------
    >>> pyramid = TilePyramid("https://tiles.example.org/{z}/{x}/{y}.png", cache=False)
    >>> pyramid
    <biggus.TilePyramid shape=(134217728, 134217728, 3) dtype=uint8 levels=20>
    >>> pyramid[1].shape
    (512, 512, 3)
    """

    def __init__(
        self,
        template: str | os.PathLike[str],
        zooms: Iterable[int] | None = None,
        **options: Any,
    ) -> None:
        if zooms is None:
            zooms = _zooms_of(str(template))
        wanted = sorted({operator.index(zoom) for zoom in zooms}, reverse=True)
        if not wanted:
            raise ValueError("`zooms=` names at least one zoom level")
        self.zooms = tuple(reversed(wanted))
        arrays = [api.open(template, zoom=zoom, **options) for zoom in wanted]
        further = (1.0,) * (arrays[0].ndim - 2)
        levels = [
            (array, (2.0 ** (wanted[0] - zoom), 2.0 ** (wanted[0] - zoom), *further))
            for zoom, array in zip(wanted, arrays, strict=True)
        ]
        super().__init__(levels, attribution=attribution_of(arrays[0]))

    def __getitem__(self, zoom: int) -> Array:
        """Return the array of a zoom level.

        Raises
        ------
        IndexError
            If the pyramid does not have it.
        """
        number = operator.index(zoom)
        if number not in self.zooms:
            raise IndexError(
                f"there is no zoom {number}; there are {self.zooms[0]} to {self.zooms[-1]}"
            )
        return self.levels[self.zooms[::-1].index(number)].array

    def window(
        self,
        lon_min: float,
        lat_min: float,
        lon_max: float,
        lat_max: float,
        zoom: int | None = None,
    ) -> Window:
        """Return the rows and columns that show a part of the world.

        Parameters
        ----------
        lon_min, lat_min, lon_max, lat_max : float
            The edges of the part in degrees, from -180 to 180 and -90 to 90.  Web Mercator, and
            thus the window, ends at 85.0511 degrees north and south.
        zoom : int, optional
            The zoom level, by default the finest.

        Returns
        -------
        Window
            At least one row and one column.

        Raises
        ------
        ValueError
            If an edge is out of range, or not below the opposite one.  A part that crosses 180
            degrees needs two windows.

        Examples
        --------
        >>> pyramid = TilePyramid("https://tiles.example.org/{z}/{x}/{y}.png", cache=False)
        >>> window = pyramid.window(-16.9, 28.0, -16.1, 28.6, zoom=9)
        >>> window.slices
        (slice(54661, 54910, None), slice(59382, 59675, None))
        >>> pyramid[9][window.slices].shape
        (249, 293, 3)
        """
        if not (-180 <= lon_min < lon_max <= 180 and -90 <= lat_min < lat_max <= 90):
            raise ValueError(
                "a window is given as lon_min, lat_min, lon_max, lat_max in degrees, each minimum "
                "below its maximum; a part that crosses 180 degrees needs two windows"
            )
        with needing("mercantile", "tiles", "converting degrees to pixels of a map"):
            import mercantile
        length = self[self.zooms[-1] if zoom is None else zoom].shape[0]
        size = mercantile.CE / length
        half = mercantile.CE / 2
        left, bottom = mercantile.xy(lon_min, max(lat_min, -_LAST_LATITUDE))
        right, top = mercantile.xy(lon_max, min(lat_max, _LAST_LATITUDE))
        columns = _covering((left + half) / size, (right + half) / size, length)
        rows = _covering((half - top) / size, (half - bottom) / size, length)
        extent = (
            columns.start * size - half,
            columns.stop * size - half,
            half - rows.stop * size,
            half - rows.start * size,
        )
        return Window((rows, columns), extent)


def _zooms_of(template: str) -> range:
    """Return the zoom levels of a known server, or those of most servers."""
    if not is_preset(template):
        return range(20)
    least, most = preset_named(template).zooms
    return range(least, most + 1)


_LAST_LATITUDE = 85.0511287798066
"""The northern edge of the northernmost tiles, at which Web Mercator is as high as it is wide."""


def _covering(start: float, stop: float, length: int) -> slice:
    """Return the pixels, at least one, that cover the range from `start` to `stop`."""
    # A range that ends at the edge of a pixel, but for rounding, does not reach the next pixel.
    first = min(max(int(start + _ROUNDING), 0), length - 1)
    last = min(max(-int(-(stop - _ROUNDING) // 1), first + 1), length)
    return slice(first, last)


_ROUNDING = 1e-6
"""The rounding error, in pixels, of degrees in float64 at zoom 19."""
