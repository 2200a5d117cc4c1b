"""The command: its arguments, its errors, its exit code."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from biggus.cli.stopping import INTERRUPTED, stop_orderly
from biggus.cli.usage import UsageError
from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OK = 0
FAILED = 1
USAGE = 2
NO_READER = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process if not given.

    Returns
    -------
    int
        The exit code: 0 if all went well, 1 for what biggus or the system
        refused, 2 for arguments that make no sense, 130 after Ctrl-C.

    Examples
    --------
    >>> main(["cache", "info", "--path", "/no/such/folder"])
    1
    """
    if argv is None:
        stop_orderly()
    parser = _parser()
    try:
        arguments = _parsed(parser, argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    with _log_to_stderr(arguments.verbose):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Run a command, and turn what it raises into one line and an exit code."""
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        return _failed(error, USAGE)
    except KeyboardInterrupt:
        print("biggus: interrupted", file=sys.stderr, flush=True)
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return NO_READER
    except (BiggusError, OSError, MemoryError) as error:
        return _failed(error, FAILED)
    except Exception as error:
        logging.getLogger("biggus.cli").debug("it was raised here:", exc_info=True)
        return _failed(f"{type(error).__name__}: {error} (-vv tells where)", FAILED)
    return OK


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"biggus: error: {message} ({self.prog} --help tells more)\n")


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; the last, optional ones may also stand behind options.

    argparse takes such an argument as left out when it meets an option first.
    """
    arguments, rest = parser.parse_known_args(argv)
    name = getattr(arguments, "last", None)
    if name and isinstance(getattr(arguments, name), list) and not any(map(_is_option, rest)):
        getattr(arguments, name).extend(rest)
    elif len(rest) == 1 and not _is_option(rest[0]) and name and getattr(arguments, name) is None:
        setattr(arguments, name, rest[0])
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return arguments


def _is_option(text: str) -> bool:
    return text.startswith("-")


def _failed(error: Exception | str, code: int) -> int:
    line = " ".join(str(error).split()) or type(error).__name__
    print(f"biggus: error: {line}", file=sys.stderr)
    return code


def _forget_output() -> None:
    """Let nothing more be written to standard output: who read it has gone.

    The interpreter would try again at its end, and complain.
    """
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _log_to_stderr(verbosity: int) -> Iterator[None]:
    """Show warnings while the block runs, or more if that is wanted."""
    handler = logging.StreamHandler()
    form = "%(asctime)s %(name)s: %(message)s" if verbosity else "biggus: warning: %(message)s"
    handler.setFormatter(logging.Formatter(form, "%H:%M:%S"))
    log = logging.getLogger("biggus")
    before = log.level
    log.addHandler(handler)
    log.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)


def _parser() -> argparse.ArgumentParser:
    from biggus import __version__
    from biggus.cli import caches, get, info, plan, save, stats, view
    from biggus.cli.demo import command as demo

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="tell what is fetched and why (-vv: and all the rest)",
    )
    parser = _Parser(
        prog="biggus",
        description="Arrays bigger than your machine, over stores that already exist.",
    )
    parser.add_argument("--version", action="version", version=f"biggus {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (demo, info, view, get, stats, plan, save, caches):
        module.add_command(commands, common)
    return parser
