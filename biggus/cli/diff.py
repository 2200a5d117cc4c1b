"""``biggus diff``: the differences of two studies."""

from __future__ import annotations

import argparse

from biggus.cli.recording import summary
from biggus.study.bundle import Bundle
from biggus.study.verifying import differences

_DIFFERENT = 1

DESCRIPTION = (
    "Show how two files that biggus record made differ: in the regions that were read, in their "
    "values, and in the versions and options of the programs. The exit code is 0 if the data "
    "that were read are the same, and 1 if not."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("one", metavar="FILE", help="a file that biggus record made")
    parser.add_argument("other", metavar="OTHER", help="another such file")


def run(arguments: argparse.Namespace) -> int:
    """Print the differences of two bundles."""
    bundles = [Bundle(arguments.one), Bundle(arguments.other)]
    for path, bundle in zip((arguments.one, arguments.other), bundles, strict=True):
        print(f"{path}: {summary(bundle)}")
    for finding in differences(*bundles):
        print(f"  {finding}")
    same = bundles[0].receipt == bundles[1].receipt
    print(f"  the data that were read {'are the same' if same else 'differ'}")
    return 0 if same else _DIFFERENT
