"""The arguments for memory and threads of a computation."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from biggus import options
from biggus.cli.usage import UsageError
from biggus.errors import MemoryBudgetError, OptionError


def add_resources(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for memory and threads."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help='the most memory to use, such as "500 MB" (default: 1 GB)',
    )
    parser.add_argument(
        "--workers", metavar="N", help="the number of threads that compute (default: one per core)"
    )


@contextlib.contextmanager
def resources(arguments: argparse.Namespace, **more: Any) -> Iterator[None]:
    """Set memory and workers as the arguments say, and other options, during the block.

    Raises
    ------
    UsageError
        If an argument has an invalid value.
    MemoryBudgetError
        If the memory does not suffice; the message names the argument that allows more.
    """
    limits = {name: getattr(arguments, name) for name in ("memory", "workers")}
    changes = {name: value for name, value in limits.items() if value is not None}
    try:
        chosen = options.set_options(**changes, **more)
    except OptionError as error:
        raise UsageError(str(error)) from None
    with chosen:
        try:
            yield
        except MemoryBudgetError as error:
            raise MemoryBudgetError(error.problem, "--memory") from error
