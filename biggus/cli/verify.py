"""``biggus verify``: check a study, and optionally its sources."""

from __future__ import annotations

import argparse

from biggus.cli.recording import summary
from biggus.errors import StudyError
from biggus.study.bundle import Bundle
from biggus.study.verifying import against_sources

DESCRIPTION = (
    "Check the digests in a file that biggus record made. With --against-sources, also read the "
    "sources again and list the regions that have changed. The exit code is 0 if nothing has."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("study", metavar="FILE", help="a file that biggus record made")
    parser.add_argument(
        "--against-sources",
        action="store_true",
        help="read the sources again and list the regions that have changed",
    )


def run(arguments: argparse.Namespace) -> None:
    """Check a bundle."""
    bundle = Bundle(arguments.study)
    bundle.check()
    print(f"{arguments.study}: {summary(bundle)}")
    if not arguments.against_sources:
        return
    count = 0
    for finding in against_sources(bundle):
        count += 1
        print(f"  {finding}")
    if count:
        raise StudyError(f"{count} recorded regions or sources have changed, or cannot be read")
    print("  its sources are as they were")
