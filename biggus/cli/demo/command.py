"""``biggus demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = (
    "Open a planet of map tiles, an ocean and a climate as lazy arrays; save pictures of "
    "slices of them; do it again with the tile server gone; compute statistics of more than "
    "the memory that is allowed; and read all of it from one file, with the rest deleted. "
    "Nothing but this computer is asked for anything."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("biggus-demo"),
        metavar="FOLDER",
        help="where the pictures and the demo's own cache go (default: biggus-demo)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the demo."""
    from biggus.cli.demo.story import tell

    tell(arguments.output)
