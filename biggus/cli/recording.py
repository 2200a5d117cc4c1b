"""``biggus record``: run a program, and record all that it reads."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping

from biggus.cli.saving import add_overwrite
from biggus.cli.usage import BY_SIGNAL, UsageError
from biggus.errors import StudyError
from biggus.options import format_bytes
from biggus.study.bundle import Bundle
from biggus.study.environment import RECORD, REPLAY
from biggus.study.writing import Bundling

EXAMPLES = """\
  biggus record -o study.biggus -- python study.py
  biggus replay study.biggus -- python study.py

Reads of processes that the program starts are recorded too, if they inherit its environment
(the variable BIGGUS_RECORD). FILE is written when the program ends with exit code 0.
"""

DESCRIPTION = "Run a program and keep everything that it reads with biggus in one file."
USAGE = "biggus record [OPTIONS] -- PROGRAM [ARGUMENT ...]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "-o",
        "--output",
        default="study.biggus",
        metavar="FILE",
        help="the file to write (default: study.biggus)",
    )
    add_overwrite(parser, "FILE")


def run(arguments: argparse.Namespace) -> int:
    """Run a program, and write a bundle of what it reads."""
    bundling = Bundling(arguments.output, arguments.overwrite)
    try:
        environment = {**os.environ, RECORD: str(bundling.folder)}
        environment.pop(REPLAY, None)
        code = run_program(arguments, environment)
        if code:
            print("biggus: the program failed; no file is written", file=sys.stderr)
            return code
        bundling.finish()
    finally:
        bundling.remove()
    bundle = Bundle(bundling.path)
    # Standard output belongs to the program.
    print(f"biggus: {arguments.output}: {summary(bundle)}", file=sys.stderr)
    return 0


def summary(bundle: Bundle) -> str:
    """Return the summary of a bundle in one line."""
    read = sum(bool(source.chunks) for source in bundle.sources.values())
    chunks = f"{bundle.chunks:,} chunk{'s' * (bundle.chunks != 1)}"
    sources = f"{read:,} source{'s' * (read != 1)}"
    return f"{chunks} of {sources}, {format_bytes(bundle.nbytes)}; receipt {bundle.receipt}"


def run_program(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run a program in an environment, and return its exit code.

    Raises
    ------
    UsageError
        If no program is given.
    StudyError
        If the program cannot be run.
    """
    program: list[str] = arguments.program
    if not program:
        raise UsageError("name a program to run, after two dashes: -- python study.py")
    try:
        code = subprocess.run(program, env=dict(environment), check=False).returncode  # noqa: S603 - what the user says
    except OSError as error:
        raise StudyError(f"cannot run {program[0]}: {error.strerror}") from error
    return BY_SIGNAL - code if code < 0 else code
