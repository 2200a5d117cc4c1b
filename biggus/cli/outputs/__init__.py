"""Writers of selections to files, chosen by suffix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.cli.outputs.figures import figure_writer, film_writer
from biggus.cli.outputs.picked import Picked, Writer
from biggus.cli.outputs.stores import write_netcdf, write_npy, write_zarr
from biggus.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Picked", "Writer", "writer_for"]

_WRITERS: dict[str, Writer] = {
    ".npy": write_npy,
    **{suffix: figure_writer(suffix) for suffix in (".png", ".pdf", ".svg")},
    **{suffix: film_writer(suffix) for suffix in (".gif", ".mp4")},
    ".nc": write_netcdf,
    ".zarr": write_zarr,
}


def writer_for(path: Path) -> Writer:
    """Return the writer for the suffix of `path`.

    Raises
    ------
    OutputError
        If there is none.
    """
    try:
        return _WRITERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(_WRITERS)
        raise OutputError(f"cannot write {path}: name it with one of {known}") from None
