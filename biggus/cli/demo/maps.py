"""The pictures of three maps that the demo computes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.cli.demo.pictures import NOTE, figure
from biggus.viewer.maps.coast import gshhs
from biggus.viewer.maps.fields import outer_edges
from biggus.viewer.maps.labels import degrees_text

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from biggus.cli.demo.anomaly import Maps


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
