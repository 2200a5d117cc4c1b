"""Saving results, with the error messages of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.errors import OutputExistsError
from biggus.sinks.saving import save

if TYPE_CHECKING:
    import argparse


def add_overwrite(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the argument that allows replacing the existing output `name`."""
    parser.add_argument(
        "--overwrite", "--force", action="store_true", help=f"replace {name} if it exists"
    )


def save_to(arrays: list[Any], targets: list[str], overwrite: bool, pack: bool = True) -> None:
    """Compute arrays together, and save each to its location; see `biggus.save`.

    Raises
    ------
    OutputError
        As of `biggus.save`; if the output exists, the message names the argument to replace it.
    """
    try:
        save(arrays, targets, overwrite=overwrite, pack=pack)
    except OutputExistsError as error:
        raise OutputExistsError(error.path, "--overwrite") from error
