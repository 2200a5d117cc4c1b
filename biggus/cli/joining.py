"""Opening several locations as one array, joined along an axis."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from biggus.backends import Location
from biggus.cli.keys import split_selection
from biggus.cli.opening import (
    add_opening,
    at_key,
    behind_location,
    open_variable,
    opening_options,
)
from biggus.cli.usage import UsageError
from biggus.datasets.facts import Opened, facts_of
from biggus.errors import BiggusError, MismatchError
from biggus.many import MISMATCHES, JoinedMember, joined, matching, variables_named
from biggus.sinks.locations import STORES

if TYPE_CHECKING:
    import argparse


class MisfitError(BiggusError, ValueError):
    """Arguments do not fit the data, or arrays cannot be joined."""


def add_locations(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for locations, and how to join them."""
    add_opening(
        parser,
        "LOCATION ... [VARIABLE[KEY]]",
        "a path, a quoted pattern, a URL or a tile template; several are joined; then a variable "
        'in them with a key, such as "tos[0, 10:20]"; also written as LOCATION::VARIABLE; it may '
        "be left out if there is only one",
    )
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
class Joined:
    """The array that the arguments name.

    Attributes
    ----------
    locations : list of str
        The locations, without credentials.
    variable : str or None
        The name of the first variable; None if it is the only one.
    opened : Opened
        The joined array, with the source and decoder of the first.
    """

    locations: list[str]
    variable: str | None
    opened: Opened

    @property
    def label(self) -> str:
        """The title: the first location and variable, and how many more there are."""
        more = len(self.locations) - 1
        words = [self.locations[0], self.variable or "", f"and {more} more" if more else ""]
        return "  ".join(filter(None, words))

    @property
    def facts(self) -> dict[str, Any]:
        """The metadata of the array, as values that JSON can hold."""
        facts = facts_of(self.opened)
        named = {"locations": self.locations, "variable": self.variable}
        names = ("shape", "dims", "dtype", "stored_dtype", "nbytes", "chunks", "masked")
        return named | {name: facts[name] for name in names if name in facts}


def open_joined(arguments: argparse.Namespace) -> Joined:
    """Open the array that the arguments name.

    Raises
    ------
    MisfitError
        If arrays cannot be joined.
    """
    locations, selection = _split(arguments.words)
    variable, key = split_selection(selection)
    named = list(_named(locations, variable or None))
    first = open_variable(arguments, Location(named[0][0]), named[0][1])
    if len(named) > 1:
        opening = opening_options(arguments)
        arrays = (open_variable(arguments, Location(path), name).array for path, name in named[1:])
        members = (
            JoinedMember(array, path, variable, opening)
            for array, (path, variable) in zip(chain([first.array], arrays), named, strict=True)
        )
        try:
            array = joined(members, arguments.join_axis, mismatch=arguments.join_mismatch)
            first = first._replace(array=array)
        except MismatchError:
            raise
        except (TypeError, ValueError) as error:
            raise MisfitError(f"cannot join {len(named)} arrays: {error}") from error
    public = [Location(path).public for path, _ in named]
    first = at_key(first, key)
    return Joined(public, named[0][1] or first.array.name, first)


def _split(words: Sequence[str]) -> tuple[list[str], str]:
    """Split arguments into locations, and a variable with its key, which is the last if any."""
    *locations, last = words
    if locations and not _is_location(last):
        return locations, last
    place, key = behind_location(last)
    return [*locations, place], key


def _is_location(text: str) -> bool:
    """Tell whether a text has the form of a location, or is the path of something."""
    where = Location(text)
    if where.scheme or "::" in text.partition("[")[0] or os.path.lexists(where.path):
        return True
    if set("*?").isdisjoint(text) and "[" in text:  # a key looks like a pattern
        return bool(glob.glob(text))  # noqa: PTH207 - a pattern may be absolute
    return glob.has_magic(text) or where.suffix in STORES


def _named(
    locations: Sequence[str], variable: str | None = None
) -> Iterator[tuple[str, str | None]]:
    """Yield the paths and their variables; a single name holds for all."""
    try:
        named = variables_named(locations, variable)
    except ValueError as error:
        raise UsageError(str(error)) from None
    for path, name in named:
        for expanded in _expanded(path):
            yield expanded, name


def _expanded(path: str) -> list[str]:
    """Return the matches of a pattern; existing paths and other locations are no patterns."""
    if not glob.has_magic(path) or Location(path).scheme or os.path.lexists(path):
        return [path]
    return matching(path, None)
