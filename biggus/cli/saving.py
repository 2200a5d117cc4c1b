"""Saving results, with the error messages of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import engine, options
from biggus.backends.location import split_location
from biggus.construct import ArrayAdapter
from biggus.errors import OutputError
from biggus.options import format_bytes
from biggus.sinks.locations import store_class
from biggus.sinks.npy import NpyStore
from biggus.sinks.saving import save

if TYPE_CHECKING:
    import argparse

    from biggus.array import Array
    from biggus.sources.base import Values


def add_overwrite(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the argument that allows replacing the existing output `name`."""
    parser.add_argument(
        "--overwrite", "--force", action="store_true", help=f"replace {name} if it exists"
    )


def add_fill(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the value that replaces missing ones."""
    parser.add_argument("--fill", metavar="VALUE", help="the value that replaces missing ones")


def filled(array: Array, fill: str | None) -> Array:
    """Return an array whose missing values are replaced by the value of a text.

    Raises
    ------
    OutputError
        If the dtype of the array cannot hold the value.
    """
    if fill is None or not array.masked:
        return array
    kind = array.dtype.kind
    value: Any = None
    try:
        if kind in "iu":
            value = np.array(int(fill), array.dtype)
        elif kind in "fcMm":
            value = np.array(fill).astype(array.dtype)
        elif kind == "b" and fill.lower() in ("true", "false"):
            value = np.bool_(fill.lower() == "true")
    except (ValueError, OverflowError):
        pass
    if value is None:
        raise OutputError(f"--fill {fill} is not a value of dtype {array.dtype}")
    return array.filled(value)


def all_values(array: Array) -> Values:
    """Read all values at once.

    Raises
    ------
    OutputError
        If they are more than the ``memory`` option allows.
    """
    limit = options.current().memory
    if array.nbytes > limit:
        raise OutputError(
            f"{format_bytes(array.nbytes)} at once are more than the memory option allows "
            f"({format_bytes(limit)}): select fewer values, allow more with "
            "--memory, or write .nc, .zarr or .h5"
        )
    return engine.evaluate(array.node)


def save_to(arrays: list[Any], targets: list[str], overwrite: bool, pack: bool = True) -> None:
    """Compute arrays together, and save each to its location; see `biggus.save`.

    An array without a name is called ``data`` in formats that need a name.  Strings of variable
    length become strings of the greatest length in ``.npy`` files.

    Raises
    ------
    OutputError, MaskedValueError
        As of `biggus.save`.
    """
    ready = list(map(_for, targets, arrays))
    save(ready, list(map(_named, targets, arrays)), overwrite=overwrite, pack=pack)


def _for(target: str, array: Array) -> Array:
    """Return the array that is written; strings for a ``.npy`` file are read at once."""
    if array.dtype.kind not in "OT" or store_class(Path(target)) is not NpyStore:
        return array
    values = all_values(array)
    if not all(isinstance(value, str) for value in values.flat):
        raise OutputError("a .npy file cannot store Python objects other than strings")
    return ArrayAdapter(np.array(values, dtype=np.str_))


def _named(target: str, array: Any) -> str:
    path, name = split_location(target)
    needed = not name and array.name is None and store_class(Path(path)).named
    return f"{path}::data" if needed else target
