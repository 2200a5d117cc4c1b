"""Comparing the coordinates of arrays that are joined."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.datasets.compared import Compared, read
from biggus.datasets.facts import Opened
from biggus.datasets.noting import Notes
from biggus.labels import labels_of, numbered_one
from biggus.labels.times import comparable, time_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from biggus.array import Array

_AT_ONCE = 8
"""How many arrays are compared together.  Remote coordinates are fetched at the same time, and
local files are still open from when the array was opened."""

_PART_OF_SPACING = 0.01
"""Values that differ by less than this part of the smallest spacing are the same grid."""

_ROUNDING = 2.5e-7
"""Two roundings of float32, as a part of the greatest value."""


class Disagreement(NamedTuple):
    """A coordinate that differs between two arrays of a sequence.

    Attributes
    ----------
    first, other : int
        The places of the arrays in the sequence.
    text : str
        The name of the coordinate, and two values that differ.
    coordinate : str
        The name of the coordinate.
    dims : sequence of str
        The names of its axes; empty for a scalar.
    kind : str or None
        As `Coordinate.kind`.
    """

    first: int
    other: int
    text: str
    coordinate: str
    dims: Sequence[str]
    kind: str | None


def disagreements(
    arrays: Iterable[Array], axis: int | str | None, times: bool = True
) -> Iterator[Disagreement]:
    """Compare the coordinates of opened arrays, and yield those that differ.

    The coordinate of an axis is the variable that has its name (`Source.sibling`); others are
    named in the attribute ``coordinates``.  Their values are read once, and not again while the
    file does not change.  Of a coordinate of more than 1 MiB only the first and the last rows are
    read.  Numbers agree if they differ by less than a hundredth of the smallest spacing, or by no
    more than the rounding of float32; other values agree if they are equal.  Coordinates of
    different shapes, and times whose units cannot be converted, are not compared.

    Parameters
    ----------
    arrays : iterable of Array
        The arrays, as `open` returns them, or a generator that opens them.
    axis : int or str or None
        The number or the name of the axis whose coordinates may differ, if there is one.
    times : bool, optional
        Whether times are compared, too; scalar times always are.
    """
    firsts: dict[str, Compared] = {}
    remaining = enumerate(arrays)
    while some := list(islice(remaining, _AT_ONCE)):
        if len(some) == 1 and not some[0][0]:
            return  # there is nothing to compare a single array with
        notes = [Notes(Opened.of(array).source) for _, array in some]
        several = [
            each
            for (number, array), own in zip(some, notes, strict=True)
            for each in _coordinates(number, array, own, axis)
            if times or each.note.kind != "time" or not each.note.dims
        ]
        read(each for each in several if not each.note.digest)
        for each in several:
            first, note = firsts.setdefault(each.name, each), each.note
            text = _difference(first, each)
            if text is not None:
                found = each.name, note.dims, note.kind
                yield Disagreement(first.number, each.number, text, *found)
        for own in notes:
            own.save()


def _coordinates(
    number: int, array: Array, notes: Notes, axis: int | str | None
) -> Iterator[Compared]:
    """Yield the coordinates of an array that are compared; no values are read."""
    source = Opened.of(array).source
    dims = labels_of(array.node).dims
    joined = dims[numbered_one(array.node, axis)] if dims and axis is not None else None
    listed = source.attributes.get("coordinates")
    auxiliary = listed.split() if isinstance(listed, str) else []
    for name in dict.fromkeys([*dims, *auxiliary]):
        if name is None or name == joined:
            continue
        each = Compared(number, name, source, notes)
        if each.note.compared and joined not in each.note.dims:
            yield each


def _difference(first: Compared, other: Compared) -> str | None:
    """Describe the first values that differ; None if there are none, or they cannot be compared."""
    if other is first or other.agrees(first):
        return None
    one, two = first.values, _in_units_of(first, other)
    if two is None or one.shape != two.shape or one.dtype.kind != two.dtype.kind:
        return None
    unlike = (one != two) & ((one == one) | (two == two))  # noqa: PLR0124 - NaN and NaT are alike
    if one.dtype.kind == "f" and unlike.any():
        unlike &= ~np.isclose(one, two, rtol=0, atol=_tolerance(one, first.note.kind == "time"))
    if not unlike.any():
        other.agree(first)
        return None
    place = tuple(map(int, np.unravel_index(np.argmax(unlike), one.shape)))
    here, there = (
        f"{v:.10g}" if one.dtype.kind == "f" else str(v) for v in (one[place], two[place])
    )
    where = f" at {first.place(place)}" if first.note.dims else ""
    return f"{first.name} is {here} and {there}{where}"


def _tolerance(values: npt.NDArray[Any], times: bool) -> float:
    """Return by how much equal coordinates may differ."""
    with np.errstate(invalid="ignore"):  # infinity less infinity
        steps = [np.abs(np.diff(values, axis=axis)) for axis in range(values.ndim)]
        spacing = min(np.min(each, where=each > 0, initial=np.inf) for each in steps)
    rounding = np.finfo("f8").eps if times else _ROUNDING
    near = float(rounding * np.max(np.abs(values), where=np.isfinite(values), initial=0))
    return max(near, float(_PART_OF_SPACING * spacing)) if np.isfinite(spacing) else near


def _in_units_of(first: Compared, other: Compared) -> npt.NDArray[Any] | None:
    """Return values with times in the units of another coordinate; None if that is impossible."""
    texts = first.note.units, other.note.units
    if texts[0] == texts[1] or not any(" since " in units for units, _ in texts):
        return other.values
    here, there = (time_units(*text) for text in texts)
    if here is None or there is None or not comparable(here, there):
        return None
    return (other.values * there.length + (there.start - here.start)) / here.length
