"""Opening several locations as one array, joined along an axis."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import os
from itertools import chain
from typing import TYPE_CHECKING, Any

from biggus.backends import Location
from biggus.cli.keys import Key, cut_key, split_selection
from biggus.cli.opening import (
    add_opening,
    at_key,
    behind_location,
    open_variable,
    opening_options,
    variables,
)
from biggus.cli.usage import UsageError
from biggus.datasets.facts import Opened, facts_of
from biggus.errors import BiggusError, MismatchError, VariableError
from biggus.many import MISMATCHES, JoinedMember, joined, matching, variables_named
from biggus.sinks.locations import STORES
from biggus.support.once import once

if TYPE_CHECKING:
    import argparse

    from biggus.array import Array

LOCATIONS = "LOCATION ... [VARIABLE[KEY]]"
"""The arguments that all commands take which open an array."""


class MisfitError(BiggusError, ValueError):
    """Arguments do not fit the data, or arrays cannot be joined."""


def add_locations(parser: argparse.ArgumentParser, behind: str = "") -> None:
    """Add the arguments for locations, a variable and a key, and how to open and join them.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    behind : str, optional
        The name of the argument that comes last.
    """
    parser.add_argument(
        "words",
        metavar=f"{LOCATIONS} {behind}".strip(),
        nargs="+",
        help="a path, a quoted pattern, a URL or a tile template; several are joined; then a "
        'variable in them with a key, such as "tos[0, 10:20]"; also written as '
        "LOCATION::VARIABLE[KEY]; the variable may be left out if there is only one",
    )
    add_opening(parser)
    parser.add_argument(
        "--join-axis",
        type=axis_of,
        default=0,
        metavar="AXIS",
        help="the axis along which several are joined, by number or name (default: 0)",
    )
    parser.add_argument(
        "--join-mismatch",
        choices=MISMATCHES,
        default="raise",
        help="if files have other coordinates or units, which cannot be converted: stop with an "
        "error (raise, the default), or join the numbers as they are (ignore)",
    )


def axis_of(text: str) -> int | str:
    """Return the number of an axis, or its name."""
    try:
        return int(text)
    except ValueError:
        return text


@dataclasses.dataclass
class Selected:
    """What the arguments name: one variable of one or several locations, and a key.

    Attributes
    ----------
    named : list of tuple
        The locations, each with the name of its variable; None if it is the only one.
    text : str
        The variable and the key, as they are written.
    key : Key
        The key, which applies to the joined array.
    """

    named: list[tuple[str, str | None]]
    text: str
    key: Key

    @once
    def where(self) -> Location:
        """The first location, which reads the first bytes of its file once."""
        return Location(self.named[0][0])

    @property
    def variable(self) -> str | None:
        """The name of the first variable; None if it is the only one."""
        return self.named[0][1]

    @property
    def locations(self) -> list[str]:
        """The locations, without credentials."""
        return [Location(path).public for path, _ in self.named]

    @property
    def and_more(self) -> str:
        """The end of a title: how many further locations there are."""
        more = len(self.named) - 1
        return f"and {more} more" if more else ""


@dataclasses.dataclass
class Joined:
    """The array that the arguments name.

    Attributes
    ----------
    selected : Selected
        What the arguments name.
    opened : Opened
        The joined array, with the source and decoder of the first.
    """

    selected: Selected
    opened: Opened

    @property
    def array(self) -> Array:
        """The joined array."""
        return self.opened.array

    @property
    def name(self) -> str:
        """The name of the first variable; empty if it has none."""
        return self.selected.variable or self.array.name or ""

    @property
    def label(self) -> str:
        """The title: the first location and variable, and how many more there are."""
        selected = self.selected
        return "  ".join(filter(None, [selected.where.public, self.name, selected.and_more]))

    @property
    def facts(self) -> dict[str, Any]:
        """The metadata of the array, as values that JSON can hold."""
        facts = facts_of(self.opened)
        named = {"locations": self.selected.locations, "variable": self.name or None}
        names = ("shape", "dims", "dtype", "stored_dtype", "nbytes", "chunks", "masked")
        return named | {name: facts[name] for name in names if name in facts}


def selected(arguments: argparse.Namespace) -> Selected:
    """Parse ``LOCATION ... [VARIABLE[KEY]]``, or ``LOCATION::VARIABLE[KEY]``.

    Raises
    ------
    UsageError
        If the brackets hold no key, or some locations name a variable and others none.
    VariableError
        If the variable is named twice.
    """
    locations, text = _split(arguments)
    variable, key = split_selection(text)
    try:
        named = variables_named(locations, variable or None)
    except VariableError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    each = [(expanded, name) for path, name in named for expanded in _expanded(path)]
    return Selected(each, f"{each[0][1] or ''}{cut_key(text)[1]}", key)


def open_joined(arguments: argparse.Namespace, named: Selected | None = None) -> Joined:
    """Open the array that the arguments name.

    Parameters
    ----------
    arguments : argparse.Namespace
        The arguments of a command.
    named : Selected, optional
        What they name, if they have been parsed.

    Raises
    ------
    MisfitError
        If arrays cannot be joined.
    """
    named = named or selected(arguments)
    opened = open_variable(arguments, named.where, named.variable)
    if len(named.named) > 1:
        opened = opened._replace(array=_joined(arguments, named, opened.array))
    return Joined(named, at_key(opened, named.key))


def _joined(arguments: argparse.Namespace, named: Selected, first: Array) -> Array:
    """Open the other locations, and join their arrays to the first."""
    opening = opening_options(arguments)
    others = named.named[1:]
    arrays = (open_variable(arguments, Location(path), name).array for path, name in others)
    members = (
        JoinedMember(array, path, variable, opening)
        for array, (path, variable) in zip(chain([first], arrays), named.named, strict=True)
    )
    try:
        return joined(members, arguments.join_axis, mismatch=arguments.join_mismatch)
    except MismatchError:
        raise
    except (TypeError, ValueError) as error:
        raise MisfitError(f"cannot join {len(named.named)} arrays: {error}") from error


def _split(arguments: argparse.Namespace) -> tuple[list[str], str]:
    """Split arguments into locations, and a variable with its key, which is the last if any."""
    *locations, last = arguments.words
    if locations and not _is_location(arguments, locations[0], last):
        for location in locations:
            _, key = behind_location(location)
            if key and last.startswith("["):
                raise UsageError(f"the key is given twice: {key} and {last}")
        return locations, last
    place, key = behind_location(last)
    return [*locations, place], key


def _is_location(arguments: argparse.Namespace, first: str, text: str) -> bool:
    """Tell whether a text has the form of a location, or is the path of something.

    A text that is a path, and also the name of a variable of the first location, is no location.
    """
    where = Location(text)
    if where.scheme or "::" in text.partition("[")[0]:
        return True
    if os.path.lexists(where.path):
        return bool(where.suffix) or not _is_variable(arguments, first, text)
    if set("*?").isdisjoint(text) and "[" in text:  # a key looks like a pattern
        return bool(glob.glob(text))  # noqa: PTH207 - a pattern may be absolute
    return glob.has_magic(text) or where.suffix in STORES


def _is_variable(arguments: argparse.Namespace, location: str, text: str) -> bool:
    with contextlib.suppress(BiggusError):
        return text in variables(arguments, Location(_expanded(location)[0]))
    return False


def _expanded(path: str) -> list[str]:
    """Return the matches of a pattern; existing paths and other locations are no patterns."""
    if not glob.has_magic(path) or Location(path).scheme or os.path.lexists(path):
        return [path]
    return matching(path, None)
