"""Comparing the coordinates of many files by their records, before variables are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.cf import decoder
from biggus.labels.times import comparable, time_units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from biggus.datasets.records import GroupRecord

_PART_OF_SPACING = 0.01
"""Values that differ by less than this part of the smallest spacing are the same grid."""

_ROUNDING = 2.5e-7
"""Two roundings of float32, as a part of the greatest value."""


class CoordinateDifference(NamedTuple):
    """A coordinate of one group that differs from that of the first group.

    Attributes
    ----------
    number : int
        The place of the group in the sequence.
    text : str
        The name of the coordinate, and two values that differ.
    """

    number: int
    text: str


def first_difference(
    records: Iterable[GroupRecord | None], names: Collection[str], times: bool = True
) -> CoordinateDifference | None:
    """Return the first coordinate that differs from that of an earlier group; None if all agree.

    Values agree if they differ by less than a hundredth of the smallest spacing, or by no more
    than the rounding of float32.  Values that are not recorded, or cannot be compared, count as
    equal.

    Parameters
    ----------
    records : iterable of GroupRecord or None
        The groups; None for a group without a record.
    names : collection of str
        The names of the coordinates.
    times : bool, optional
        Whether times are compared, too.
    """
    firsts: dict[str, GroupRecord] = {}
    for number, record in enumerate(records):
        if record is None:
            continue
        for name in [name for name in names if name in record.encoded_values]:
            first = firsts.setdefault(name, record)
            text = None if _alike(first, record, name) else _difference(first, record, name, times)
            if text is not None:
                return CoordinateDifference(number, text)
    return None


def _alike(first: GroupRecord, other: GroupRecord, name: str) -> bool:
    """Tell whether stored values and all attributes are the same."""
    same_values = first.encoded_values[name] == other.encoded_values[name]
    return same_values and first.attribute_texts[name] == other.attribute_texts[name]


def _difference(first: GroupRecord, other: GroupRecord, name: str, times: bool) -> str | None:
    """Describe the first values that differ; None if there are none, or they cannot be compared."""
    one, two = _decoded(first, name), _decoded(other, name)
    rounding, texts = _ROUNDING, [_units(first, name), _units(other, name)]
    if any(" since " in units for units, _ in texts):
        here, there = (time_units(*text) for text in texts)
        if not times or here is None or there is None or not comparable(here, there):
            return None
        rounding = float(np.finfo("f8").eps)
        two = (two * there.length + (there.start - here.start)) / here.length
    if one.shape != two.shape:
        return None
    steps, sizes = np.abs(np.diff(one)), np.abs(one[np.isfinite(one)])
    spacing = np.min(steps[steps > 0], initial=np.inf)
    near = rounding * np.max(sizes, initial=0)
    if np.isfinite(spacing):
        near = max(near, _PART_OF_SPACING * spacing)
    unlike = ~((np.abs(one - two) <= near) | (one == two) | (np.isnan(one) & np.isnan(two)))
    places = np.argwhere(unlike)
    if not places.size:
        return None
    place = tuple(places[0])
    return f"{name} is {one[place]:.10g} and {two[place]:.10g} at {[int(n) for n in place]}"


def _decoded(record: GroupRecord, name: str) -> npt.NDArray[Any]:
    """Return the values of a coordinate as float64, with NaN where they are missing."""
    values = record.values(name)
    decode = decoder(values.dtype, record.variable(name).attributes)
    decoded: Any = values if decode is None else decode(values)
    return np.ma.filled(np.ma.asarray(decoded).astype(np.float64), np.nan)


def _units(record: GroupRecord, name: str) -> tuple[str, str]:
    """Return the units and the calendar of a coordinate."""
    attributes = record.variable(name).attributes
    return str(attributes.get("units", "")), str(attributes.get("calendar", "standard"))
