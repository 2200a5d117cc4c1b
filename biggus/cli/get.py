"""``biggus get``: a selection, written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biggus.backends.location import split_location
from biggus.cli.joining import LOCATIONS, add_locations, open_joined
from biggus.cli.opening import settings
from biggus.cli.outputs import PICTURES
from biggus.cli.resources import add_resources, resources
from biggus.cli.saving import add_fill, add_overwrite, filled, save_to
from biggus.errors import OutputError
from biggus.options import format_bytes
from biggus.sinks.locations import STORES
from biggus.sinks.placing import replacing

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
KEY is written as in NumPy: integers, slices with steps, ..., None, and lists of integers
or of True and False. Quote it, because most shells interpret brackets.

  biggus get sst.nc "analysed_sst[0, ::-1, 100:200]" -o map.png
  biggus get store.zarr "ocean/tos[..., [0, 5, 7]]" -o tos.npy --fill nan
  biggus get "https://host/{z}/{x}/{y}.png" --zoom 9 "[54600:55000, 59300:59850]" -o a.png
  biggus get "era5_*.nc" "t2m[:, 40, 20]" -o series.png
"""

DESCRIPTION = "Read part of a variable and write it to a file: as values, a picture or a film."

USAGE = f"biggus get [OPTIONS] {LOCATIONS} -o FILE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the file to write; the suffix chooses a figure (.png, .pdf, .svg), a film (.gif, "
        ".mp4) or values (.npy, .nc, .zarr, .h5)",
    )
    add_fill(parser)
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="draw one pixel per value and nothing else (.png only; implied by --raw)",
    )
    add_overwrite(parser, "FILE")
    add_resources(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write a selection to a file, and print what was written."""
    output = arguments.output
    path = Path(split_location(output)[0]).absolute()
    suffix = path.suffix.lower()
    write = PICTURES.get(suffix)
    if write is None and suffix not in STORES:
        known = ", ".join([*PICTURES, *STORES])
        raise OutputError(f"cannot write {path}: name it with one of {known}")
    message = None
    with settings(arguments), resources(arguments):
        array = filled(open_joined(arguments).array, arguments.fill)
        if write is None:
            save_to([array], [output], arguments.overwrite)
        else:
            pixels = arguments.pixels or arguments.raw
            with replacing(path, arguments.overwrite) as temporary:
                message = write(temporary, array, str(path), pixels, suffix)
    print(f"{output}: shape {array.shape}, {array.dtype}, {format_bytes(array.nbytes)}")
    if message:
        print(f"  {message}")
