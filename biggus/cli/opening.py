"""Opening the location and variable that the command line names."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import biggus
from biggus import options
from biggus.api import located, options_of, server_for, variables_of
from biggus.backends import Backend, Location
from biggus.caching import chosen_cache
from biggus.cli.keys import Key, split_selection
from biggus.cli.usage import UsageError
from biggus.datasets.facts import Opened
from biggus.errors import BiggusError, GoneError, OpenError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_opening(
    parser: argparse.ArgumentParser,
    metavar: str = "LOCATION",
    help: str = "a path, a URL, or a tile template",
    several: bool = False,
) -> None:
    """Add the arguments for the location, or `several`, and how to open it."""
    parser.add_argument("location", metavar=metavar, help=help, nargs="+" if several else None)
    group = parser.add_argument_group("opening")
    group.add_argument(
        "--backend", metavar="NAME", help="the backend that reads it (default: chosen by content)"
    )
    group.add_argument("--zoom", type=int, metavar="N", help="the zoom level, for a tile template")
    group.add_argument(
        "-O",
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the backend, such as -O tile_size=512; may be repeated",
    )
    group.add_argument(
        "--raw", action="store_true", help="values as they are stored, neither unpacked nor masked"
    )
    group.add_argument("--cache", metavar="FOLDER", help="keep what is read in this cache")
    group.add_argument("--no-cache", action="store_true", help="do not use any cache")
    group.add_argument(
        "--offline", action="store_true", help="use no network: read from the cache only"
    )


def add_selection(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the argument for the variable and key of a location."""
    parser.add_argument(
        "selection",
        nargs="?",
        metavar="VARIABLE[KEY]",
        help=f'what to {purpose}, such as "tos[0, 10:20]"; VARIABLE may be left out if there is '
        "only one",
    )


class Selected(NamedTuple):
    """The location, variable and key that the arguments name."""

    where: Location
    variable: str | None
    key: Key
    text: str
    """The variable and the key, as they are written."""


def selected(arguments: argparse.Namespace) -> Selected:
    """Parse ``LOCATION VARIABLE[KEY]``, or ``LOCATION::VARIABLE[KEY]``.

    Raises
    ------
    KeySyntaxError
        If the brackets hold no key.
    VariableError
        If the variable is named twice.
    """
    text = arguments.selection or ""
    beside = text.partition("[")[0].strip()
    where, named = located(arguments.location, beside or None)
    if named and not beside:
        text = named + text
    variable, key = split_selection(text)
    return Selected(where, variable or None, key, text)


def settings(arguments: argparse.Namespace) -> options.set_options:
    """Return a context with the options that the arguments set."""
    if arguments.cache and arguments.no_cache:
        raise UsageError("--cache and --no-cache exclude each other")
    changes: dict[str, Any] = {}
    if arguments.offline:
        changes["offline"] = True
    if arguments.cache:
        changes["cache"] = biggus.Cache(arguments.cache)
    if arguments.no_cache:
        changes["cache"] = False
    return options.set_options(**changes)


def backend_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the backend.

    Raises
    ------
    UsageError
        If an option is not of the form NAME=VALUE.
    """
    given = {}
    for text in arguments.option:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"-O takes NAME=VALUE, not {text!r}")
        given[name] = plain_literal(value)
    if arguments.zoom is not None:
        given["zoom"] = arguments.zoom
    return given


def plain_literal(text: str) -> Any:
    """Parse a number, a tuple of numbers, a boolean or None; other texts are returned unchanged.

    Examples
    --------
    >>> [plain_literal(text) for text in ("3", "0.5", "true", "none", "abc", "255,0,0", "a,1")]
    [3, 0.5, True, None, 'abc', (255, 0, 0), 'a,1']
    """
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for number in (int, float):
        try:
            several = tuple(map(number, text.split(",")))
        except ValueError:
            continue
        return several if len(several) > 1 else several[0]
    return text


@contextlib.contextmanager
def opened_once(arguments: argparse.Namespace) -> Iterator[None]:
    """Keep the location open during the block, and choose its backend once."""
    location = _place(arguments)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(BiggusError):  # opening a variable raises it again
            server = _backend(arguments, location)
            stack.enter_context(server.visit(location, **backend_options(arguments)))
            arguments.backend = server.name
        yield


def _place(arguments: argparse.Namespace) -> Location:
    given = arguments.location
    return given if isinstance(given, Location) else Location(given)


def _backend(arguments: argparse.Namespace, location: Location) -> Backend:
    return server_for(location, arguments.backend)


def variables(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the variables; if the location is gone, those the cache remembers."""
    location = _place(arguments)
    try:
        server = _backend(arguments, location)
        given = backend_options(arguments)
        with options_of(server, given):
            return variables_of(server, location, given)
    except BiggusError as error:
        names = _remembered(location) if isinstance(error, GoneError) else ()
        if not names:
            raise
        return names
    except TypeError as error:
        raise OpenError(location.public, str(error)) from error


def _remembered(location: Location) -> tuple[str, ...]:
    cache = chosen_cache(None, bool(location.scheme))
    if cache is None:
        return ()
    names = {
        str(description["variable"])
        for _, description in cache.descriptions()
        if str(description.get("location")).rstrip("/") == location.public.rstrip("/")
    }
    return tuple(sorted(names))


def opening_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `biggus.open` besides location and variable."""
    given = backend_options(arguments)
    return {"backend": arguments.backend, "decode": not arguments.raw, **given}


def open_variable(arguments: argparse.Namespace, variable: str | None) -> Opened:
    """Open a variable; None if it is the only one."""
    try:
        array = biggus.open(arguments.location, variable, **opening_options(arguments))
    except BiggusError:
        raise
    except (TypeError, ValueError) as error:
        raise OpenError(Location(arguments.location).public, str(error)) from error
    return Opened.of(array)
