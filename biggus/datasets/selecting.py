"""Selecting by label: the positions of values and times along an axis."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.labels.times import TimeUnits, time_units

_MOMENT = re.compile(
    r"(?P<year>-?\d{1,4})(?:-(?P<month>\d\d?)(?:-(?P<day>\d\d?)"
    r"(?:[T ](?P<hour>\d\d?)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d+)?)?)?)?)?)?"
)
_LENGTHS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_NANO = 10**9

_SMALLER = ("pad", "ffill")
_GREATER = ("backfill", "bfill")
"""The methods that select a value on one side, by both of their names in xarray."""


class AxisPositions:
    """The positions of values along an axis.

    Parameters
    ----------
    name : str
        The name of the coordinate, for error messages.
    values : ndarray
        The values of the coordinate, of one axis.
    attributes : mapping
        The attributes of the coordinate; units and calendar say whether it is of times.
    """

    def __init__(self, name: str, values: npt.NDArray[Any], attributes: Mapping[str, Any]) -> None:
        self.name = name
        plain = np.ma.getdata(values)
        there = ~np.ma.getmaskarray(values)
        if plain.dtype.kind in "fmM":
            there &= ~np.isnan(plain)
        self.places = np.flatnonzero(there)
        self.values = plain[there].astype(plain.dtype.newbyteorder("="), copy=False)
        units, calendar = attributes.get("units"), attributes.get("calendar", "standard")
        self.times = time_units(str(units), str(calendar)) if isinstance(units, str) else None

    def of(
        self, label: Any, method: str | None = None, tolerance: Any = None
    ) -> int | slice | npt.NDArray[np.intp]:
        """Return the positions of a label.

        Parameters
        ----------
        label : object
            A value, a time, a slice, or a list.  A text such as ``"2001-03"`` selects all
            times in that period.  Slices include both ends.
        method : {"nearest", "pad", "ffill", "backfill", "bfill"}, optional
            Which value to select if there is no equal one: the nearest, the next smaller or the
            next greater one.
        tolerance : number or timedelta, optional
            The greatest distance to the value that `method` selects.

        Raises
        ------
        KeyError
            If the coordinate has no such value.
        """
        if method not in (None, "nearest", *_SMALLER, *_GREATER):
            raise ValueError(
                f"method must be 'nearest', 'pad' ('ffill') or 'backfill' ('bfill'), not {method!r}"
            )
        if tolerance is not None and method is None:
            raise ValueError("tolerance needs a method")
        if isinstance(label, slice):
            if method is not None:
                raise NotImplementedError(f"a slice along {self.name} takes no method")
            return _as_slice(self.places[self._between(label)][:: label.step])
        if isinstance(label, (list, tuple, np.ndarray)) and np.ndim(label):
            if np.ndim(label) > 1:
                raise ValueError(f"select {self.name} by a value, a slice or a list of values")
            return np.array([self._only(one, method, tolerance) for one in label], np.intp)
        first, after = self._bounds(label)
        if method is None and first != after:
            places = self._within(first, after)
            if not places.size:
                raise KeyError(f"{self.name} has no value in {label!r}")
            return _as_slice(self.places[places])
        places = self.places[self._with(label, method, tolerance)]
        return int(places[0]) if places.size == 1 else _as_slice(places)

    def _between(self, label: slice) -> npt.NDArray[np.intp]:
        values = self.values
        rises = bool(np.all(values[1:] >= values[:-1]))
        if not rises and not np.all(values[1:] <= values[:-1]):
            return self._from_to(label)
        ends = [label.start, label.stop] if rises else [label.stop, label.start]
        within = np.ones(len(values), bool)
        if ends[0] is not None:
            within &= values >= self._bounds(ends[0])[0]
        if ends[1] is not None:
            first, after = self._bounds(ends[1])
            within &= values <= first if first == after else values < after
        return np.flatnonzero(within)

    def _from_to(self, label: slice) -> npt.NDArray[np.intp]:
        """Return the positions between two values of an unsorted coordinate."""
        ends = [0, len(self.values) - 1]
        for which, end in enumerate((label.start, label.stop)):
            if end is None:
                continue
            places = self._within(*self._bounds(end))
            if not places.size:
                raise KeyError(
                    f"{self.name} is not sorted, so the ends of a slice must be among its values, "
                    f"and {end!r} is not"
                )
            ends[which] = int(places[-which])
        return np.arange(ends[0], ends[1] + 1)

    def _within(self, first: Any, after: Any) -> npt.NDArray[np.intp]:
        """Return the positions of values in a half-open interval; if it is empty, of `first`."""
        values = self.values
        exact = first == after
        return np.flatnonzero(values == first if exact else (values >= first) & (values < after))

    def _only(self, label: Any, method: str | None, tolerance: Any) -> int:
        places = self.places[self._with(label, method, tolerance)]
        if places.size > 1:
            raise KeyError(
                f"{self.name} has {label!r} at {places.size} positions: select it alone, or by isel"
            )
        return int(places[0])

    def _with(self, label: Any, method: str | None, tolerance: Any) -> npt.NDArray[np.intp]:
        """Return the positions of a value, or of the one that `method` selects in its stead."""
        value = self._bounds(label)[0]
        kinds = {"i": Real, "u": Real, "f": Real, "M": np.datetime64, "m": np.timedelta64}
        can_be_near = isinstance(value, kinds.get(self.values.dtype.kind, ()))
        places = self._within(value, value)
        if method is not None and can_be_near and not places.size:
            places = self._instead_of(value, method, tolerance)
        if not places.size:
            hint = '; method="nearest" selects the nearest' if can_be_near and not method else ""
            raise KeyError(f"{self.name} has no value {label!r}{hint}")
        return places

    def _instead_of(self, value: Any, method: str, tolerance: Any) -> npt.NDArray[np.intp]:
        """Return the positions of the nearest value on a side of `value`; of two, the greater."""
        values, distances = self.values, self._distances(value)
        there = ~np.isnan(distances)
        if method in _SMALLER:
            there &= values <= value
        elif method in _GREATER:
            there &= values >= value
        if tolerance is not None:
            there &= distances <= self._distance(tolerance)
        if not there.any():
            return np.zeros(0, np.intp)
        nearest = values[there & (distances == distances[there].min())].max()
        return np.flatnonzero(values == nearest)

    def _distance(self, tolerance: Any) -> Any:
        """Return a distance in the units of the coordinate."""
        if isinstance(tolerance, (dt.timedelta, np.timedelta64)):
            if self.times is not None:
                return np.timedelta64(tolerance) / np.timedelta64(self.times.length, "ns")
            if self.values.dtype.kind in "mM":
                unit: Any = np.datetime_data(self.values.dtype)[0]
                return np.timedelta64(tolerance) / np.timedelta64(1, unit)
        return tolerance

    def _distances(self, value: Any) -> npt.NDArray[Any]:
        values = self.values
        if values.dtype.kind not in "iu" or not isinstance(value, Integral):
            floats: npt.NDArray[Any] = np.abs(np.asarray(values - value, float))
            return floats
        # In integers, without overflow.
        least, most = int(values.min()), int(values.max())
        one = values.dtype.type(min(max(int(value), least), most))
        distances: npt.NDArray[Any] = np.maximum(values, one) - np.minimum(values, one)
        return distances.view(values.dtype.str.replace("i", "u"))

    def _bounds(self, label: Any) -> tuple[Any, Any]:
        """Return the half-open interval of values that a label selects; empty for one value."""
        dated = self.times is not None or self.values.dtype.kind == "M"
        if not dated or isinstance(label, Real):
            if self.values.dtype.kind == "f" and isinstance(label, Real):
                with np.errstate(over="ignore"):
                    label = self.values.dtype.type(label)  # a float32 coordinate has 0.1 rounded
            return label, label
        exact = isinstance(label, (np.datetime64, dt.date))
        text = str(label)
        if self.values.dtype.kind == "M" and self.times is None:
            return _of_datetime64(text, exact, self.values.dtype)
        assert self.times is not None
        first, after = _period(text, self.times.calendar)
        begins = self._count(first)
        return begins, begins if exact else self._count(after)

    def _count(self, moment: int) -> float:
        """Return a moment in the units of the coordinate; an integer if possible, for precision."""
        assert self.times is not None
        whole, remainder = divmod(moment - self.times.start, self.times.length)
        return (moment - self.times.start) / self.times.length if remainder else whole


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
    """Return the start and the end of a period, in nanoseconds of its calendar.

    Raises
    ------
    KeyError
        If the text is not a time, or the calendar has no such day.

    Examples
    --------
    >>> first, after = _period("2001-02", "noleap")
    >>> (after - first) // (86400 * 10**9)
    28
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise KeyError(f"{text!r} is not a time such as 2001-02-03 or 2001-02-03 12:00")
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
