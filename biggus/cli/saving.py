"""Results, streamed into new files and stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.errors import OutputExistsError
from biggus.sinks.saving import save

if TYPE_CHECKING:
    import argparse


def add_overwrite(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the argument that lets something be replaced that is there, called `name`."""
    parser.add_argument(
        "--overwrite", "--force", action="store_true", help=f"replace {name} if it exists"
    )


def save_to(arrays: list[Any], targets: list[str], overwrite: bool, pack: bool = True) -> None:
    """Compute arrays together and stream each to its location, packed as it was if `pack`.

    Raises
    ------
    OutputError
        As `biggus.save` does, but for what the command line is told to replace something.
    """
    try:
        save(arrays, targets, overwrite=overwrite, pack=pack)
    except OutputExistsError as error:
        raise OutputExistsError(error.path, "--overwrite") from error
