"""Running a program with a changed environment."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from biggus.cli.usage import UsageError
from biggus.errors import StudyError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

_BY_SIGNAL = 128
"""Added to the number of the signal that ended a program, as shells do."""


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
    return _BY_SIGNAL - code if code < 0 else code
