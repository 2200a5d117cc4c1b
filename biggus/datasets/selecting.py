"""Selecting by value: where along an axis a coordinate has a value, or a time."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.times import TimeUnits, time_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

_MOMENT = re.compile(
    r"(?P<year>-?\d{1,4})(?:-(?P<month>\d\d?)(?:-(?P<day>\d\d?)"
    r"(?:[T ](?P<hour>\d\d?)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d+)?)?)?)?)?)?"
)
_LENGTHS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_NANO = 10**9


class AxisPositions:
    """The positions of values along an axis.

    Parameters
    ----------
    name : str
        The coordinate's, for errors.
    values : ndarray
        Of one axis.
    attributes : mapping
        What the store says of them: times are told by their units and calendar.
    """

    def __init__(self, name: str, values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> None:
        self.name = name
        self.values = values
        units, calendar = attributes.get("units"), attributes.get("calendar", "standard")
        self.times = time_units(str(units), str(calendar)) if isinstance(units, str) else None

    def of(self, label: Any, method: str | None = None) -> int | slice | npt.NDArray[np.intp]:
        """Return where a label is: a value, a time, a slice of them, or several.

        Parameters
        ----------
        label : object
            A text such as ``"2001-03"`` is all that is in that time; both ends of a slice
            are in it.
        method : {"nearest"}, optional
            Whether what is nearest will do.

        Raises
        ------
        KeyError
            If there is none.
        """
        if method not in (None, "nearest"):
            raise ValueError(f"a method of selecting is 'nearest', not {method!r}")
        if isinstance(label, slice):
            return self._between(label)
        if isinstance(label, (list, tuple, np.ndarray)) and np.ndim(label) == 1:
            found = [self._one(one, method) for one in label]
            return np.asarray(found, np.intp)
        first, after = self._bounds(label)
        if first == after or method is not None:
            return self._one(label, method)
        return self._where((self.values >= first) & (self.values < after), label)

    def _between(self, label: slice) -> slice | npt.NDArray[np.intp]:
        if label.step is not None:
            raise ValueError("values are selected from one to another, without a step")
        values = self.values
        falls = len(values) > 1 and values[0] > values[-1]
        ends = [label.stop, label.start] if falls else [label.start, label.stop]
        within = np.ones(len(values), bool)
        if ends[0] is not None:
            within &= values >= self._bounds(ends[0])[0]
        if ends[1] is not None:
            first, after = self._bounds(ends[1])
            within &= values <= first if first == after else values < after
        places = np.flatnonzero(within)
        return _as_slice(places)

    def _one(self, label: Any, method: str | None) -> int:
        value = self._bounds(label)[0]
        if self.values.dtype.kind in "SUO" or method is None:
            places = np.flatnonzero(self.values == value)
        else:
            apart = np.abs(np.asarray(self.values - value, float))
            places = np.flatnonzero(apart == np.nanmin(apart)) if apart.size else np.empty(0, int)
        if not places.size:
            raise KeyError(f"{self.name} has no value {label!r}" + self._hint())
        return int(places[0])

    def _where(self, within: npt.NDArray[np.bool_], label: Any) -> slice | npt.NDArray[np.intp]:
        places = np.flatnonzero(within)
        if not places.size:
            raise KeyError(f"{self.name} has no value in {label!r}")
        return _as_slice(places)

    def _hint(self) -> str:
        return (
            '; method="nearest" takes what is nearest' if self.values.dtype.kind in "iufM" else ""
        )

    def _bounds(self, label: Any) -> tuple[Any, Any]:
        """Return the first value that a label means, and that after the last; of a value itself."""
        dated = self.times is not None or self.values.dtype.kind == "M"
        if not dated or isinstance(label, (int, float, np.integer, np.floating)):
            return label, label
        exact = isinstance(label, (np.datetime64, dt.date))
        text = str(label)
        if self.values.dtype.kind == "M" and self.times is None:
            return _of_datetime64(text, exact, self.values.dtype)
        assert self.times is not None
        first, after = _period(text, self.times.calendar)
        counts = [(moment - self.times.start) / self.times.length for moment in (first, after)]
        return counts[0], counts[0] if exact else counts[1]


def _as_slice(places: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    if not places.size:
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == places.size else places


def _of_datetime64(text: str, exact: bool, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    first = np.datetime64(text)
    start = first.astype(dtype)
    one: Any = np.array(1, first.dtype.str.replace("M8", "m8"))
    return start, start if exact else (first + one).astype(dtype)


def _period(text: str, calendar: str) -> tuple[int, int]:
    """Return when a time begins and when it is over, in nanoseconds of its calendar.

    Raises
    ------
    KeyError
        If it is none, or the calendar has no such day.

    Examples
    --------
    >>> first, after = _period("2001-02", "noleap")
    >>> (after - first) // (86400 * 10**9)
    28
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise KeyError(f"{text!r} is no time such as 2001-02-03 or 2001-02-03 12:00")
    known = {name: number for name, number in match.groupdict().items() if number is not None}
    year, month = int(known["year"]), int(known.get("month", 1))
    clock = ":".join(known.get(name, "0") for name in ("hour", "minute", "second"))
    day = f"{known.get('day', '1')} {clock}{known.get('fraction', '')}"
    first = _start(f"{year}-{month}-{day}", text, calendar)
    if "month" not in known:
        return first, _start(f"{year + 1}-1-1", text, calendar)
    if "day" not in known:
        following = (year + month // 12, month % 12 + 1)
        return first, _start(f"{following[0]}-{following[1]}-1", text, calendar)
    if "fraction" in known:
        return first, first
    finest = [name for name in _LENGTHS if name in known][-1]
    return first, first + _LENGTHS[finest] * _NANO


def _start(moment: str, text: str, calendar: str) -> int:
    units: TimeUnits | None = time_units(f"seconds since {moment}", calendar)
    if units is None:
        raise KeyError(f"the calendar {calendar!r} has no {text!r}")
    return units.start
