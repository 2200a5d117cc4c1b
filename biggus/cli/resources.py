"""The arguments for memory and threads of a computation."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from biggus import options
from biggus.cli.bars import progress_bar
from biggus.cli.usage import UsageError
from biggus.errors import OptionError


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
def resources(arguments: argparse.Namespace) -> Iterator[None]:
    """Set memory and workers as the arguments say, and show a progress bar, during the block.

    Raises
    ------
    UsageError
        If an argument has an invalid value.
    """
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress_bar())
        stack.enter_context(options.set_options(progress=bar or False))
        for name in ("memory", "workers"):
            value = getattr(arguments, name)
            try:
                stack.enter_context(options.set_options(**({} if value is None else {name: value})))
            except OptionError as error:
                raise UsageError(f"argument --{name}: {error}") from None
        yield
