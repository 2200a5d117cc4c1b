"""``biggus save``: write a variable to a new store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from biggus.backends.location import split_location
from biggus.cli.joining import LOCATIONS, add_locations, open_joined
from biggus.cli.opening import settings
from biggus.cli.resources import add_resources, resources
from biggus.cli.saving import add_fill, add_overwrite, filled, save_to
from biggus.cli.usage import UsageError
from biggus.options import format_bytes
from biggus.sinks.locations import store_class

EXAMPLES = """\
The suffix of OUT chooses the format: .zarr, .h5, .nc or .npy. Without NAME the variable
keeps its name. Its coordinates are written beside it. OUT is written under a temporary
name, and renamed when it is complete.

  biggus save sst.nc analysed_sst sst.zarr
  biggus save store.zarr::ocean/tos tos.h5::tos --memory "500 MB"
  biggus save "https://host/{z}/{x}/{y}.png" --zoom 4 world.npy
  biggus save "era5_*.nc" t2m t2m.zarr
"""

DESCRIPTION = "Copy a variable of any size into a new file or store, block by block."

USAGE = f"biggus save [OPTIONS] {LOCATIONS} OUT[::NAME]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser, "OUT[::NAME]")
    parser.add_argument(
        "--dtype",
        type=_dtype,
        metavar="NAME",
        help="convert the values to this dtype, such as float32",
    )
    add_fill(parser)
    add_overwrite(parser, "OUT")
    add_resources(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write a variable to a new store, block by block."""
    *arguments.words, output = arguments.words
    if not arguments.words:
        raise UsageError("name the file or store to write: biggus save LOCATION [VARIABLE] OUT")
    store_class(Path(split_location(output)[0]).absolute())  # before anything is opened
    with settings(arguments), resources(arguments):
        array = filled(open_joined(arguments).array, arguments.fill)
        if arguments.dtype is not None:
            array = array.astype(arguments.dtype)
        save_to([array], [output], arguments.overwrite, pack=arguments.dtype is None)
    print(f"{output}: shape {array.shape}, {array.dtype}, {format_bytes(array.nbytes)}")


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        raise argparse.ArgumentTypeError(f"{name!r} is not a dtype of NumPy") from None
