"""``biggus replay``: run a program on recorded data alone."""

from __future__ import annotations

import argparse
import os

from biggus.cli.recording import run_program
from biggus.study.bundle import Bundle
from biggus.study.environment import RECORD, REPLAY

EXAMPLES = """\
  biggus replay study.biggus -- python study.py

biggus reads FILE and nothing else, and opens no socket. The same holds in processes that the
program starts, if they inherit its environment (the variable BIGGUS_REPLAY). The exit code
is that of the program.
"""

DESCRIPTION = "Run a program on a file that biggus record made, and on nothing else."
USAGE = "biggus replay [OPTIONS] FILE -- PROGRAM [ARGUMENT ...]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("study", metavar="FILE", help="a file that biggus record made")


def run(arguments: argparse.Namespace) -> int:
    """Run a program on a bundle."""
    bundle = Bundle(arguments.study)
    environment = {**os.environ, REPLAY: str(bundle.path)}
    environment.pop(RECORD, None)
    return run_program(arguments, environment)
