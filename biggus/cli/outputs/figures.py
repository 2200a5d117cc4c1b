"""Writing figures and films: maps with axes, colour bars and coastlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.cli.outputs.png import write_png
from biggus.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.array import Array

DOTS_PER_INCH = 150


def write_figure(path: Path, array: Array, label: str, pixels: bool, suffix: str) -> str | None:
    """Write a figure: ``.png``, ``.pdf`` or ``.svg``."""
    from biggus.viewer.maps.look import are_colours, quicklook

    if suffix == ".png" and (pixels or (array.ndim == 3 and are_colours(array))):
        return write_png(path, array)
    try:
        figure = quicklook(array)
    except (ValueError, TypeError) as error:
        raise OutputError(f"cannot draw {label}: {error}") from error
    # Without date and version, equal values give equal files.
    dated: dict[str, Any] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    figure.savefig(
        path,
        format=suffix[1:],
        dpi=DOTS_PER_INCH,
        metadata=dated.get(suffix, {"Software": None}),
    )
    return None


def write_film(path: Path, array: Array, label: str, pixels: bool, suffix: str) -> str | None:
    """Write a film: ``.gif`` or ``.mp4``."""
    from biggus.viewer.maps import film

    del pixels
    try:
        count = film(path, array, suffix)
    except (ValueError, TypeError) as error:
        raise OutputError(f"cannot make a film of {label}: {error}") from error
    return f"{count} maps, one after the other"
