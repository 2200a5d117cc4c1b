"""The command line: parsing arguments, reporting errors, and exit codes.

Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) end a command in order, and soon.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from biggus.cli.usage import BY_SIGNAL, UsageError, common_options
from biggus.cli.wording import in_options, message_of
from biggus.errors import BiggusError
from biggus.sinks.placing import remove_unfinished
from biggus.support.reasons import reason_of
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    from types import FrameType

OK = 0
FAILED = 1
USAGE = 2
NO_READER = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit code: 0 for success, 1 for errors of biggus or the system, 2 for invalid
        arguments, 130 after Ctrl-C; or the exit code of the program that
        ``biggus record`` or ``biggus replay`` ran.

    Examples
    --------
    >>> main(["cache", "info", "--path", "/no/such/folder"])
    1
    """
    if argv is None:
        stop_orderly()
    words = sys.argv[1:] if argv is None else argv
    own, program = _split(words)
    try:
        arguments = _parsed(_parser(own), own)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:  # modules of commands are imported here
        return _interrupted()
    arguments.program = program
    with _log_to_stderr(arguments):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Run a command, and report exceptions as one line and an exit code."""
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        return _failed(error, USAGE)
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        _forget_output()
        return NO_READER
    except BiggusError as error:
        return _failed(message_of(error, vars(arguments)), FAILED)
    except MemoryError as error:
        return _failed(error, FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{reason_of(error)}", FAILED)
    except Exception as error:
        logging.getLogger("biggus.cli").debug("traceback:", exc_info=True)
        return _failed(f"{type(error).__name__}: {error} (-vv shows where)", FAILED)
    return OK if code is None else int(code)


def _interrupted() -> int:
    print("biggus: interrupted", file=sys.stderr, flush=True)
    return INTERRUPTED


def _split(words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Split the arguments of a command from the program after two dashes."""
    if not words or words[0] not in _RUNNING or "--" not in words:
        return words, []
    at = list(words).index("--")
    return words[:at], list(words[at + 1 :])


class _ShortParser(argparse.ArgumentParser):
    """A parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        message = message.replace("invalid int value", "not a whole number")
        self.exit(USAGE, f"biggus: error: {message} (see {self.prog} --help)\n")


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; further locations and variables may follow options.

    argparse takes all positional arguments from the first place where there are some.
    """
    arguments, words = parser.parse_known_args(argv)
    if words and (not hasattr(arguments, "words") or any(map(_is_option, words))):
        hint = "; a program follows two dashes: -- python study.py"
        runs = argv[0] in _RUNNING and not _is_option(words[0])
        parser.prog += f" {argv[0]}"
        parser.error(f"unrecognized arguments: {' '.join(words)}{hint if runs else ''}")
    if words:
        arguments.words.extend(words)
    return arguments


def _is_option(text: str) -> bool:
    return text.startswith("-")


def _failed(error: Exception | str, code: int) -> int:
    line = " ".join(str(error).split()) or type(error).__name__
    print(f"biggus: error: {line}", file=sys.stderr)
    return code


def _forget_output() -> None:
    """Redirect standard output to nowhere, after its reader has closed it.

    Otherwise the interpreter would report an error when it flushes the stream at exit.
    """
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _LogFormatter(logging.Formatter):
    """Formats log messages in the words of a command, with time and logger if it is verbose."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        form = "biggus: warning: %(message)s"
        if arguments.verbose:
            form = "%(asctime)s %(name)s: %(message)s"
        super().__init__(form, "%H:%M:%S")
        self._names = vars(arguments)

    def format(self, record: logging.LogRecord) -> str:
        return in_options(super().format(record), self._names)


@contextlib.contextmanager
def _log_to_stderr(arguments: argparse.Namespace) -> Iterator[None]:
    """Show log messages during the block: warnings, or more with -v."""
    verbosity = arguments.verbose
    handler = logging.StreamHandler()
    handler.setFormatter(_LogFormatter(arguments))
    log = logging.getLogger("biggus")
    before = log.level
    log.addHandler(handler)
    log.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)


_COMMANDS = {
    "demo": ("demo.command", "a tour on real data; needs no network"),
    "info": ("info", "show what a file, a store or a tile server holds"),
    "view": ("view", "pan and zoom over an array in a window or a browser"),
    "get": ("get", "write part of a variable to a file: values, a picture or a film"),
    "stats": ("stats", "compute mean, standard deviation, minimum, maximum and counts"),
    "plan": ("plan", "show what biggus stats would read, without reading it"),
    "save": ("save", "copy a variable of any size into a new file or store"),
    "cache": ("caches", "show what the cache on disk holds, or clear it"),
    "record": ("recording", "run a program and keep everything it reads in one file"),
    "replay": ("replaying", "run a program on a recorded study and nothing else"),
    "verify": ("verify", "check a recorded study, also against its sources"),
    "diff": ("diff", "show how two recorded studies differ"),
}
"""The module and the purpose of each command, in the order of the help."""

_RUNNING = ("record", "replay")
"""The commands that run a program."""


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; if the first argument is a command, only its module is imported."""
    from biggus import __version__

    parser = _ShortParser(
        prog="biggus",
        description="Inspect, draw, summarise and save arrays of any size, without loading them.",
    )
    parser.add_argument("--version", action="version", version=f"biggus {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    first = argv[0] if argv else ""
    if not argv:
        parser.error(f"name a command: {', '.join(_COMMANDS)}")
    if first not in _COMMANDS and not _is_option(first or "-"):
        hint = did_you_mean(first, _COMMANDS)
        parser.error(f"there is no command {first!r}{hint}; there are {', '.join(_COMMANDS)}")
    for name in [first] if first in _COMMANDS else _COMMANDS:
        _add(commands, name)
    return parser


def _add(commands: Any, name: str) -> None:
    """Add a command to the command line."""
    place, purpose = _COMMANDS[name]
    module = importlib.import_module(f"biggus.cli.{place}")
    examples = getattr(module, "EXAMPLES", None)
    runs = hasattr(module, "run")  # otherwise each of its actions has one
    parser = commands.add_parser(
        name,
        parents=[common_options()] if runs else [],
        help=purpose,
        usage=getattr(module, "USAGE", None),
        description=module.DESCRIPTION,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter
        if examples
        else argparse.HelpFormatter,
    )
    if runs:
        parser.set_defaults(run=module.run)
    module.add_arguments(parser)


INTERRUPTED = BY_SIGNAL + signal.SIGINT

_PATIENCE_SECONDS = 2.0
"""How long the process may take to end after a signal."""


def stop_orderly() -> None:
    """Install signal handlers that unwind the stack, and end the process soon in any case.

    A read that waits for a server that does not answer cannot be cancelled, and
    would delay the end until it times out.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, _stop)
    # Windows has no SIGHUP, and nohup ignores it.
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is signal.SIG_DFL:
        signal.signal(hangup, _stop)
    # Background jobs may have been started with SIGINT ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    code = BY_SIGNAL + signum
    timer = threading.Timer(_PATIENCE_SECONDS, _end, [code])
    timer.daemon = True
    timer.start()
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    sys.exit(code)


def _end(code: int) -> None:
    remove_unfinished()
    print("biggus: stopped while a read was waiting", file=sys.stderr, flush=True)
    os._exit(code)
