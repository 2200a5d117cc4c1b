"""Comparing the coordinates of arrays that are joined."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus import engine
from biggus.adapt import leaf_of
from biggus.datasets.facts import Opened
from biggus.graph import Mosaic
from biggus.labels import Coordinate, labels_of, numbered
from biggus.labels.coordinate import calendar_of
from biggus.labels.times import comparable, time_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from biggus.array import Array

LARGEST = 2**20
"""The most bytes of a coordinate that is compared."""

_AT_ONCE = 8
"""How many arrays are compared together.  Remote coordinates are fetched at the same time, and
local files are still open from when the array was opened."""

_PART_OF_SPACING = 0.01
"""Values that differ by less than this part of the smallest spacing are the same grid."""

_ROUNDING = 2.5e-7
"""Two roundings of float32, as a part of the greatest value."""

_KINDS = "biufcmMSUTO"
"""The kinds of dtypes that are compared: all but structures."""


class Disagreement(NamedTuple):
    """A coordinate that differs between two arrays of a sequence.

    Attributes
    ----------
    first, other : int
        The places of the arrays in the sequence.
    text : str
        The name of the coordinate, and two values that differ.
    """

    first: int
    other: int
    text: str


class _AxisValues(NamedTuple):
    """The coordinate of an axis of one array, as it was read.

    Attributes
    ----------
    number : int
        The place of the array in the sequence.
    coordinate : Coordinate
        The coordinate.
    values : ndarray
        Numbers as float64, with NaN where they are missing; other values as they are.
    """

    number: int
    coordinate: Coordinate
    values: npt.NDArray[Any]


def disagreements(
    arrays: Iterable[Array], axis: int | str | None, times: bool = True
) -> Iterator[Disagreement]:
    """Compare the coordinates of opened arrays, and yield those that differ.

    The coordinate of an axis is the variable that has its name (`Source.sibling`).  Its values
    are read once.  Numbers agree if they differ by less than a hundredth of the smallest spacing,
    or by no more than the rounding of float32; other values agree if they are equal.  Coordinates
    of different lengths, and times whose units cannot be converted, are not compared.

    Parameters
    ----------
    arrays : iterable of Array
        The arrays, as `open` returns them, or a generator that opens them.
    axis : int or str or None
        The number or the name of the axis whose coordinates may differ, if there is one.
    times : bool, optional
        Whether times are compared, too.
    """
    firsts: dict[str, _AxisValues] = {}
    remaining = enumerate(arrays)
    while some := list(islice(remaining, _AT_ONCE)):
        if len(some) == 1 and not some[0][0]:
            return  # there is nothing to compare a single array with
        for each in _read((n, c) for n, array in some for c in _coordinates(array, axis, times)):
            first = firsts.setdefault(each.coordinate.name, each)
            text = _difference(first, each)
            if text is not None:
                yield Disagreement(first.number, each.number, text)


def _coordinates(array: Array, axis: int | str | None, times: bool) -> Iterator[Coordinate]:
    """Yield the coordinates of an array that are compared; no values are read."""
    source = Opened.of(array).source
    number = None if axis is None else numbered(array.node, axis)
    for place, dim in enumerate(labels_of(array.node).dims):
        sibling = None if dim is None or place == number else source.sibling(dim)
        if sibling is None or sibling.name == source.name:
            continue
        if sibling.shape != (array.shape[place],) or sibling.dtype.kind not in _KINDS:
            continue
        each = Coordinate(str(dim), sibling.attributes, leaf_of(sibling), (place,))
        small = math.prod(sibling.shape) * sibling.dtype.itemsize <= LARGEST
        if small and (times or each.kind != "time"):
            yield each


def _read(found: Iterable[tuple[int, Coordinate]]) -> Iterator[_AxisValues]:
    """Read coordinates, those of one name together."""
    alike: dict[Any, list[tuple[int, Coordinate]]] = {}
    for number, each in found:
        alike.setdefault((each.name, each.node.dtype), []).append((number, each))
    for several in alike.values():
        nodes = [each.node for _, each in several]
        values: Any = engine.evaluate(nodes[0] if len(nodes) == 1 else Mosaic(nodes, 0))
        if values.dtype.kind in "biuf":
            values = np.ma.filled(values.astype(np.float64), np.nan)
        elif values.dtype.kind == "O":
            values = values.astype(str)
        ends = np.cumsum([node.shape[0] for node in nodes])
        parts = np.split(np.ma.getdata(values), ends[:-1])
        for (number, each), part in zip(several, parts, strict=True):
            yield _AxisValues(number, each, part)


def _difference(first: _AxisValues, other: _AxisValues) -> str | None:
    """Describe the first values that differ; None if there are none, or they cannot be compared."""
    one, two = first.values, _in_units_of(first.coordinate, other)
    if two is None or one.shape != two.shape or one.dtype.kind != two.dtype.kind:
        return None
    unlike = (one != two) & ((one == one) | (two == two))  # noqa: PLR0124 - NaN and NaT are alike
    if one.dtype.kind == "f" and unlike.any():
        finite = one[np.isfinite(one)]
        steps, sizes = np.abs(np.diff(finite)), np.abs(finite)
        spacing = np.min(steps[steps > 0], initial=np.inf)
        rounding = np.finfo("f8").eps if first.coordinate.kind == "time" else _ROUNDING
        near = rounding * np.max(sizes, initial=0)
        if np.isfinite(spacing):
            near = max(near, _PART_OF_SPACING * spacing)
        unlike &= ~np.isclose(one, two, rtol=0, atol=near)
    if not unlike.any():
        return None
    place = int(np.argmax(unlike))
    here, there = (
        f"{v:.10g}" if one.dtype.kind == "f" else str(v) for v in (one[place], two[place])
    )
    return f"{first.coordinate.name} is {here} and {there} at [{place}]"


def _in_units_of(first: Coordinate, other: _AxisValues) -> npt.NDArray[Any] | None:
    """Return values with times in the units of another coordinate; None if that is impossible."""
    texts = [
        (str(c.attributes.get("units", "")), calendar_of(c)) for c in (first, other.coordinate)
    ]
    if texts[0] == texts[1] or not any(" since " in units for units, _ in texts):
        return other.values
    here, there = (time_units(*text) for text in texts)
    if here is None or there is None or not comparable(here, there):
        return None
    return (other.values * there.length + (there.start - here.start)) / here.length
