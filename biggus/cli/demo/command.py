"""``biggus demo``."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = (
    "A tour on real data: open map tiles of the Earth, an ocean and a climate as lazy arrays; "
    "save pictures of parts of them; read them again with the tile server stopped; compute "
    "statistics of more data than the memory allows; record everything in one file and replay "
    "it. The tile server runs on this computer; the demo needs no network."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("biggus-demo"),
        metavar="FOLDER",
        help="the folder for the pictures and the demo's own cache (default: biggus-demo)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the demo."""
    from biggus.cli.demo.story import tell

    tell(arguments.output)
