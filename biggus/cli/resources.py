"""What a computation may use: memory and threads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.cli.usage import UsageError
from biggus.errors import MemoryBudgetError, OptionError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_resources(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what may be used."""
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
    """Set what the arguments say may be used, and other options, while the block runs.

    Raises
    ------
    UsageError
        If an argument has a value that it cannot have.
    MemoryBudgetError
        If the memory does not suffice: the message says how the command line allows more.
    """
    given = {name: getattr(arguments, name) for name in ("memory", "workers")}
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        chosen = options.set_options(**changes, **more)
    except OptionError as error:
        raise UsageError(str(error)) from None
    with chosen:
        try:
            yield
        except MemoryBudgetError as error:
            raise MemoryBudgetError(error.problem, "--memory") from error
