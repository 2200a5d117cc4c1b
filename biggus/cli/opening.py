"""Opening the location and variable that the command line names."""

from __future__ import annotations

import contextlib
import glob
import os
from typing import TYPE_CHECKING, Any

import biggus
from biggus import options
from biggus.api import server_for
from biggus.caching import chosen_cache
from biggus.cli.keys import Key, cut_key
from biggus.cli.usage import UsageError
from biggus.datasets.facts import Opened
from biggus.errors import BiggusError, GoneError, OpenError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from biggus.backends import Location


def add_opening(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for how to open a location."""
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


class SelectionError(BiggusError, IndexError):
    """A key is invalid for the variable."""


def behind_location(text: str) -> tuple[str, str]:
    """Split ``LOCATION::VARIABLE[KEY]`` before the key, which is empty if there is none.

    Raises
    ------
    UsageError
        If a key follows the path of a file without the name of a variable.
    """
    if not text.endswith("]"):
        return text, ""
    if "::" in text.partition("[")[0]:
        return cut_key(text)
    place, _, key = text.partition("[")
    if os.path.lexists(place) and not glob.glob(text):  # noqa: PTH207 - a pattern may be absolute
        raise UsageError(f"a key is an argument of its own: {place} '[{key}'")
    return text, ""


def at_key(opened: Opened, key: Key) -> Opened:
    """Select from an opened array.

    Raises
    ------
    SelectionError
        If the key does not fit the shape.
    """
    try:
        return opened._replace(array=opened.array[key])
    except (IndexError, ValueError, TypeError) as error:
        shape = opened.array.shape
        raise SelectionError(f"cannot select from shape {shape}: {error}") from error


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
    options_given = {}
    for text in arguments.option:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"-O takes NAME=VALUE, not {text!r}")
        options_given[name] = plain_literal(value)
    if arguments.zoom is not None:
        options_given["zoom"] = arguments.zoom
    return options_given


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
def opened_once(arguments: argparse.Namespace, where: Location) -> Iterator[None]:
    """Keep the location open during the block, and choose its backend once."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(BiggusError):  # opening a variable raises it again
            server = server_for(where, arguments.backend)
            stack.enter_context(server.visit(where, **backend_options(arguments)))
            arguments.backend = server.name
        yield


def variables(arguments: argparse.Namespace, where: Location) -> tuple[str, ...]:
    """Return the names of the variables; if the location is gone, those the cache remembers."""
    try:
        return biggus.variables(where, backend=arguments.backend, **backend_options(arguments))
    except GoneError:
        names = _remembered(where)
        if not names:
            raise
        return names
    except BiggusError:
        raise
    except TypeError as error:
        raise OpenError(where.public, str(error)) from error


def _remembered(where: Location) -> tuple[str, ...]:
    cache = chosen_cache(None, bool(where.scheme))
    if cache is None:
        return ()
    names = {
        str(description["variable"])
        for _, description in cache.descriptions()
        if str(description.get("location")).rstrip("/") == where.public.rstrip("/")
    }
    return tuple(sorted(names))


def opening_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `biggus.open` besides location and variable."""
    of_backend = backend_options(arguments)
    return {"backend": arguments.backend, "decode": not arguments.raw, **of_backend}


def open_variable(arguments: argparse.Namespace, where: Location, variable: str | None) -> Opened:
    """Open a variable; None if it is the only one."""
    try:
        array = biggus.open(where, variable, **opening_options(arguments))
    except BiggusError:
        raise
    except (TypeError, ValueError) as error:
        raise OpenError(where.public, str(error)) from error
    return Opened.of(array)
