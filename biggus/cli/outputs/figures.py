"""Writing figures and films: maps with axes, colour bars and coastlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.cli.outputs.png import write_png
from biggus.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked, Writer

DOTS_PER_INCH = 150


def figure_writer(suffix: str) -> Writer:
    """Return the writer of figures of a format: ``.png``, ``.pdf`` or ``.svg``."""

    def write(path: Path, picked: Picked) -> str | None:
        from biggus.viewer.maps.look import are_colours, quicklook

        image = len(picked.shape) == 3 and are_colours(picked.array)
        if suffix == ".png" and (picked.pixels or image):
            return write_png(path, picked)
        with picked.reporting():
            try:
                figure = quicklook(picked.array)
            except (ValueError, TypeError) as error:
                raise OutputError(f"cannot draw {picked.label}: {error}") from error
            # Without date and version, equal values give equal files.
            dated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
            figure.savefig(
                path,
                format=suffix[1:],
                dpi=DOTS_PER_INCH,
                metadata=dated.get(suffix, {"Software": None}),
            )
        return None

    return write


def film_writer(suffix: str) -> Writer:
    """Return the writer of films of a format: ``.gif`` or ``.mp4``."""

    def write(path: Path, picked: Picked) -> str | None:
        from biggus.viewer.maps import film

        try:
            count = film(path, picked.array, suffix)
        except (ValueError, TypeError) as error:
            raise OutputError(f"cannot make a film of {picked.label}: {error}") from error
        return f"{count} maps, one after the other"

    return write
