"""``biggus save``: write a variable to a new store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from biggus.api import located
from biggus.backends.location import split_location
from biggus.cli.bars import progress_bar
from biggus.cli.opening import add_opening, open_variable, settings
from biggus.cli.resources import add_resources, resources
from biggus.cli.saving import add_overwrite, save_to
from biggus.cli.usage import UsageError
from biggus.options import format_bytes
from biggus.sinks.locations import store_class

EXAMPLES = """\
The suffix of OUT chooses the format: .zarr, .h5, .nc or .npy. Without NAME the variable
keeps its name. Its coordinates are written beside it. OUT is written under a temporary
name, and renamed when it is complete.

  biggus save sst.nc::analysed_sst sst.zarr
  biggus save store.zarr::ocean/tos tos.h5::tos --memory "500 MB"
  biggus save "https://host/{z}/{x}/{y}.png" --zoom 4 world.npy
"""

DESCRIPTION = "Copy a variable of any size into a new file or store, block by block."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_opening(
        parser, metavar="IN[::VARIABLE]", help="a path, a URL or a tile template, with the variable"
    )
    parser.add_argument("output", metavar="OUT[::NAME]", nargs="?", help="the new file or store")
    parser.add_argument(
        "--dtype",
        type=_dtype,
        metavar="NAME",
        help="convert the values to this dtype, such as float32",
    )
    add_overwrite(parser, "OUT")
    add_resources(parser)
    parser.set_defaults(last="output")


def run(arguments: argparse.Namespace) -> None:
    """Write a variable to a new store, block by block."""
    if arguments.output is None:
        raise UsageError("name the file or store to write: biggus save IN[::VARIABLE] OUT[::NAME]")
    where, variable = located(arguments.location, None)
    arguments.location = where.text
    with settings(arguments), progress_bar() as bar, resources(arguments, progress=bar or False):
        array = open_variable(arguments, variable).array
        if arguments.dtype is not None:
            array = array.astype(arguments.dtype)
        target = _target(arguments.output, variable or array.name)
        save_to([array], [target], arguments.overwrite, pack=arguments.dtype is None)
    size = format_bytes(array.nbytes)
    print(f"{target}: shape {array.shape}, {array.dtype}, {size}")


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        raise argparse.ArgumentTypeError(f"{name!r} is not a dtype of NumPy") from None


def _target(output: str, variable: str | None) -> str:
    """Return the target, with a name of the array if the format needs one."""
    path, name = split_location(output)
    named = store_class(Path(path)).named
    last = (variable or "").strip("/").rpartition("/")[2]
    if name or named is False or (named is None and not last):
        return output
    return f"{path}::{last or 'data'}"
