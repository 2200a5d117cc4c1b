"""``biggus get``: a selection, written to a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from biggus.cli.bars import progress_bar
from biggus.cli.opening import add_opening, add_selection, open_variable, selected, settings
from biggus.cli.outputs import Picked, writer_for
from biggus.errors import BiggusError, OutputError
from biggus.options import format_bytes
from biggus.sinks.placing import replacing

if TYPE_CHECKING:
    import argparse

    from biggus.backends import Location
    from biggus.cli.keys import Key
    from biggus.datasets.facts import Opened

EXAMPLES = """\
KEY is written as in NumPy: integers, slices with steps, ..., None, and lists of integers
or of True and False. Quote it, because most shells interpret brackets.

  biggus get sst.nc "analysed_sst[0, ::-1, 100:200]" -o map.png
  biggus get store.zarr "ocean/tos[..., [0, 5, 7]]" -o tos.npy --fill nan
  biggus get "https://host/{z}/{x}/{y}.png" --zoom 9 "[54600:55000, 59300:59850]" -o a.png
"""


class SelectionError(BiggusError, IndexError):
    """A key is invalid for the variable."""


DESCRIPTION = "Read part of a variable and write it to a file: as values, a picture or a film."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_opening(parser)
    add_selection(parser, "read")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="the file to write; the suffix chooses a figure (.png, .pdf, .svg), a film (.gif, "
        ".mp4) or values (.npy, .nc, .zarr)",
    )
    parser.add_argument("--fill", metavar="VALUE", help="the value that replaces missing ones")
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="draw one pixel per value and nothing else (.png only; implied by --raw)",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.set_defaults(last="selection")


def run(arguments: argparse.Namespace) -> None:
    """Write a selection to a file, and print what was written."""
    where, variable, key, _ = selected(arguments)
    output = arguments.output.absolute()
    write = writer_for(output)
    arguments.location = where.text
    _check_not_input(where, output)
    with settings(arguments), progress_bar() as bar:
        opened = open_variable(arguments, variable)
        picked = _picked(opened, variable, key, str(output))
        picked.fill, picked.progress = arguments.fill, bar
        picked.pixels = arguments.pixels or arguments.raw
        with replacing(output, arguments.force, "--force") as temporary:
            said = write(temporary, picked)
    size = format_bytes(math.prod(picked.shape) * picked.dtype.itemsize)
    print(f"{arguments.output}: shape {picked.shape}, {picked.dtype}, {size}")
    if said:
        print(f"  {said}")


def _picked(opened: Opened, variable: str | None, key: Key, label: str) -> Picked:
    try:
        array = opened.array[key]
    except (IndexError, ValueError, TypeError) as error:
        shape = opened.array.shape
        raise SelectionError(f"cannot select from shape {shape}: {error}") from error
    return Picked(array, variable or "data", label)


def _check_not_input(where: Location, output: Path) -> None:
    if where.scheme:
        return
    source = where.path.resolve()
    if source == output.resolve() or output.resolve() in source.parents:
        raise OutputError(f"cannot write {output}: it is the input")
