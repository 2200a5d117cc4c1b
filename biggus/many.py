"""`open_many`: the same variable of several stores, joined to one array.

Variables are joined only if their numbers mean the same.  Times that are counted in other
units are converted to those of the first variable.  Other units, stored values of another packing,
and axes with other coordinates are refused.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.api import located, open
from biggus.array import Array
from biggus.backends import Location
from biggus.backends.siblings import places_of
from biggus.caching import chosen_cache
from biggus.cf import PACKING
from biggus.construct import ArrayStack, LinearMosaic
from biggus.datasets import disagreements
from biggus.errors import GoneError, MismatchError, OpenError, OptionError
from biggus.graph import Elementwise
from biggus.labels import Labels, labels_of, numbered_one
from biggus.labels.attributes import counted_in
from biggus.labels.times import Recount, TimeUnits, calendar_named, comparable, time_units
from biggus.labels.varying import Varying
from biggus.sources import studying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from biggus.cache import Cache

_log = logging.getLogger("biggus.many")

MISMATCHES = ("raise", "ignore")

_MOST_CORNERS = 16

_IDLE: Mapping[str, Any] = {"scale_factor": 1, "add_offset": 0, "_Unsigned": "false"}
"""The values of packing attributes that have no effect."""


def open_many(
    locations: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    variable: str | None = None,
    axis: int | str = 0,
    stack: bool = False,
    *,
    mismatch: str = "raise",
    **options: Any,
) -> Array:
    """Open the same variable of many stores, and join them to one lazy array.

    Times in other units than those of the first store (``days since 2000-02-01``) are converted
    to the units of the first, as int64 or float64; with ``decode=False`` they are refused.
    Different dtypes are promoted as in :func:`numpy.concatenate`.  If one variable can have
    missing values, so can the result.

    Parameters
    ----------
    locations : str or iterable of str
        A glob pattern, whose matches are joined in sorted order; or locations, which are
        joined in the order given.
    variable : str, optional
        The name of the variable, as in :func:`open`.  It may be appended to the pattern
        (``"era5_*.nc::t2m"``) or to the locations; a name that is given with one location
        alone holds for all.
    axis : int or str, optional
        The axis along which to join, by its number or its name.
    stack : bool, optional
        Whether to stack along a new first axis instead.
    mismatch : {"raise", "ignore"}, optional
        What to do if units, calendars, the order of named axes or the coordinates of axes
        differ, or the packing of values that are not decoded: raise an error, or join the
        numbers unchanged.  Coordinates are the variables that have the names of axes or are
        named in the attribute ``coordinates``.  All that do not vary along the joined axis are
        read and compared, of those over 1 MiB the first and last rows; times are not if `stack`.
        They may differ by less than a hundredth of their spacing.  Scalars that differ become
        coordinates along the joined axis in a stack, and so do scalar times along times.
    **options
        Further arguments of :func:`open`.

    Returns
    -------
    Array
        A lazy array.

    Raises
    ------
    GoneError
        If no file matches the pattern.
    MismatchError
        If units, calendars, packing, coordinates or the order of the axes differ (also a
        ValueError).
    SourceError
        If a coordinate cannot be read.
    ValueError
        If the shapes do not fit.
    TypeError
        If the locations are a set, which has no order.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> for year in (2023, 2024):
    ...     np.save(f"{folder}/sst_{year}.npy", np.full((12, 2), year))
    >>> sst = biggus.open_many(f"{folder}/sst_*.npy")
    >>> sst[10:14, 0].ndarray()
    array([2023, 2023, 2024, 2024])
    """
    if stack and axis != 0:
        raise ValueError("a stack has its new axis in front: axis must be 0")
    if isinstance(locations, (str, os.PathLike)):
        where, variable = located(locations, variable)
        named = [(path, variable) for path in matching(where.text, options.get("cache"))]
    else:
        if isinstance(locations, (set, frozenset)):
            raise TypeError("the order of the locations matters: pass a list of them, not a set")
        named = variables_named(locations, variable)
    if not named:
        raise OpenError("no locations", "the list of locations is empty")
    members = (
        JoinedMember(open(path, name, **options), path, name, options) for path, name in named
    )
    return joined(members, axis, stack, mismatch)


def variables_named(
    locations: Iterable[str | os.PathLike[str]], variable: str | None = None
) -> list[tuple[str, str | None]]:
    """Return the locations, each with its variable; a single name holds for all.

    Raises
    ------
    ValueError
        If some locations name different variables, and others none.
    """
    split = [(where.text, name) for where, name in (located(one, variable) for one in locations)]
    names = {name for _, name in split if name}
    if len(names) > 1 and not all(name for _, name in split):
        raise ValueError("name the variable of each location, or one for all of them")
    common = next(iter(names)) if len(names) == 1 else variable
    return [(path, name or common) for path, name in split]


def matching(pattern: str, cache: Cache | bool | None) -> list[str]:
    """Return the paths that match a pattern; if no file does, those that the cache remembers."""
    where = Location(pattern)
    if where.scheme:
        return [pattern]
    return studying.call("matching", where, [], lambda: _matching(pattern, cache))


def _matching(pattern: str, cache: Cache | bool | None) -> list[str]:
    expanded = Path(pattern).expanduser().absolute()
    paths = sorted(glob.glob(str(expanded), recursive=True))  # noqa: PTH207 - any root, any depth
    chosen = chosen_cache(cache, remote=False)
    if not paths and chosen is not None:
        remembered = (description.get("location") for _, description in chosen.descriptions())
        paths = sorted({name for name in remembered if name and fnmatch(name, str(expanded))})
    if not paths and expanded.exists():  # a name with brackets that is meant literally
        return [str(expanded)]
    if not paths:
        raise GoneError(pattern, "no file matches; check the folder and the pattern")
    return paths


class JoinedMember(NamedTuple):
    """An array to be joined, and how it was opened."""

    array: Array
    location: str | os.PathLike[str]
    variable: str | None
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name for error messages, without credentials."""
        return " ".join(filter(None, [Location(self.location).public, self.variable]))


def joined(
    members: Iterable[JoinedMember],
    axis: int | str = 0,
    stack: bool = False,
    mismatch: str = "raise",
) -> Array:
    """Join opened arrays as :func:`open_many` does, after checking that they mean the same.

    Raises
    ------
    MismatchError, TypeError, ValueError
        If the arrays do not fit together.
    """
    if mismatch not in MISMATCHES:
        raise OptionError(f"mismatch is 'raise' or 'ignore', not {mismatch!r}")
    varying: frozenset[str] = frozenset()
    if mismatch == "raise":
        members, varying = _on_one_grid(members, axis, stack)
        arrays = list(_agreeing(members))
    else:
        members = list(members)
        arrays = [member.array for member in members]
    dtypes = {array.dtype: member for array, member in zip(arrays, members, strict=True)}
    if len(dtypes) > 1:
        listing = ", ".join(f"{dtype} of {member.name}" for dtype, member in dtypes.items())
        _log.info("joined by promotion: %s", listing)
    if stack and varying and len({array.shape for array in arrays}) == 1:
        arrays, stack, axis = [array[np.newaxis] for array in arrays], False, 0
    if varying and not stack:
        along = numbered_one(arrays[0].node, axis)
        arrays = [_varying(array, varying, along) for array in arrays]
    try:
        whole = ArrayStack(arrays) if stack else LinearMosaic(arrays, axis=axis)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise ValueError(_with_names(str(error), members)) from None
    return whole


def _with_names(text: str, members: Sequence[JoinedMember]) -> str:
    """Add the names of arrays to an error message that numbers them."""

    def named(match: re.Match[str]) -> str:
        return f"{match[0]} ({members[int(match[1])].name})"

    return re.sub(r"\barray (\d+)", named, text)


def _agreeing(members: Sequence[JoinedMember]) -> Iterator[Array]:
    """Yield the arrays, converted to the units of the first.

    Raises
    ------
    MismatchError
        If an array cannot be converted.
    """
    first = members[0]
    expected = labels_of(first.array.node)
    first_meaning = _meaning(first, expected)
    first_units = _counts(first_meaning)
    logged = set()
    for member in members:
        labels = expected if member is first else labels_of(member.array.node)
        if labels.dims != expected.dims and sorted(labels.named) == sorted(expected.named):
            axes = f"axes {expected.named} and {labels.named}"
            raise MismatchError(first.name, member.name, axes)
        meaning = first_meaning if member is first else _meaning(member, labels)
        units = _counts(meaning)
        if meaning == first_meaning or (units is not None and units == first_units):
            yield member.array
            continue
        dtype = member.array.dtype
        as_stored = member.options.get("decode") is False
        if units is None or first_units is None or not comparable(units, first_units) or as_stored:
            raise MismatchError(first.name, member.name, _difference(first_meaning, meaning))
        if dtype.kind not in "iuf":
            raise MismatchError(first.name, member.name, f"times of {dtype} cannot be converted")
        if units not in logged:
            logged.add(units)
            _log.info("%s: %s become %s", member.name, meaning["units"], first_meaning["units"])
        attributes = counted_in(expected.attributes)
        yield Array.from_node(
            Elementwise(Recount(dtype, units, first_units, attributes), member.array.node)
        )


def _on_one_grid(
    members: Iterable[JoinedMember], axis: int | str, stack: bool
) -> tuple[Sequence[JoinedMember], frozenset[str]]:
    """Compare all coordinates but those of the joined axis.

    Returns
    -------
    members : sequence of JoinedMember
        The members.
    varying : frozenset of str
        The names of scalar coordinates that differ, and may do so: all in a stack, and times in
        a series.

    Raises
    ------
    MismatchError
        If other coordinates differ.
    """
    opened: list[JoinedMember] = []
    varying: set[str] = set()

    def arrays() -> Iterator[Array]:
        for member in members:
            opened.append(member)
            yield member.array

    for each in disagreements(arrays(), None if stack else axis, times=not stack):
        first = opened[each.first]
        if not each.dims and (stack or (each.kind == "time" and _is_series(first.array, axis))):
            varying.add(each.coordinate)
        else:
            raise MismatchError(first.name, opened[each.other].name, each.text)
    return opened, frozenset(varying)


def _is_series(array: Array, axis: int | str) -> bool:
    """Tell whether the coordinate of an axis is a time."""
    if not array.ndim:
        return False
    along = labels_of(array.node, coordinates=True).along(numbered_one(array.node, axis))
    return along is not None and along.kind == "time"


def _varying(array: Array, names: frozenset[str], axis: int) -> Array:
    """Return an array whose scalar coordinates of these names vary along an axis."""
    return Array.from_node(Elementwise(Varying(array.dtype, names, axis), array.node))


def _counts(meaning: Mapping[str, str]) -> TimeUnits | None:
    """Return the units of time of an array; None if its values are anything but counts of time."""
    if not meaning.keys() <= {"units", "calendar"}:
        return None
    return time_units(meaning.get("units", ""), meaning.get("calendar", ""))


def _difference(first: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Describe how two meanings differ."""
    return ", ".join(
        f"{name} {_quoted(first.get(name))} and {_quoted(other.get(name))}"
        for name in {**first, **other}
        if first.get(name) != other.get(name)
    )


def _quoted(text: str | None) -> str:
    return "none" if text is None else repr(text)


def _meaning(member: JoinedMember, labels: Labels) -> Mapping[str, str]:
    """Return the attributes that give the meaning of the numbers: units, calendar and packing."""
    attributes = labels.attributes
    if "units" not in attributes:
        attributes = {**attributes, **_of_bounded(member)}
    meaning = {}
    units = _text(attributes.get("units", ""))
    if units not in ("", "1"):
        meaning["units"] = units
    if "since" in units.lower().split():
        meaning["calendar"] = calendar_named(_text(attributes.get("calendar", "standard")))
    for name in sorted(PACKING) if not labels.decoded else ():
        idle = _IDLE.get(name)
        values = np.asarray(attributes.get(name, idle)).ravel().tolist()
        if values not in ([idle], [None]):
            plain = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
            meaning[name] = ", ".join(map(str, plain))
    return meaning


def _of_bounded(member: JoinedMember) -> Mapping[str, Any]:
    """Return units and calendar of the variable whose bounds an array is; bounds may have none."""
    variable = (member.variable or "").strip("/")
    name = variable.rpartition("/")[2]
    # The last axis of bounds has the corners, which are few.
    if not name or member.array.ndim < 2 or member.array.shape[-1] > _MOST_CORNERS:
        return {}
    dims = [dim for dim in labels_of(member.array.node).dims[:-1] if dim not in (None, name)]
    options = {key: value for key, value in member.options.items() if key != "chunks"}
    for place in [place for dim in dims for place in places_of(variable, str(dim))]:
        try:
            other = open(member.location, place, **options)
        except GoneError as error:
            problem = f"it has no units, and {place!r}, which may give them, is gone"
            remedy = "`mismatch='ignore'` joins the numbers as they are"
            raise GoneError(member.name, f"{problem}: {remedy}") from error
        except OpenError:
            continue  # there is none, or none that could count
        attributes = labels_of(other.node).attributes
        if name in (_text(attributes.get("bounds", "")), _text(attributes.get("climatology", ""))):
            return {key: attributes[key] for key in ("units", "calendar") if key in attributes}
    return {}


def _text(value: Any) -> str:
    """Return an attribute as text, with white space normalised."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.split())
