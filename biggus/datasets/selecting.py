"""Selecting by label: the positions of values and times along an axis."""

from __future__ import annotations

import datetime as dt
import math
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
_RESOLUTIONS = [*[n * _NANO for n in _LENGTHS.values()], 10**6, 10**3, 1]
"""Lengths of time in nanoseconds."""

_OF_SECONDS = frozenset("YMWDhms")
"""Units of datetime64 that are no shorter than seconds."""

_OF_PANDAS = frozenset({"standard", "proleptic_gregorian"})
"""The calendars whose times have a pandas index in xarray."""

_BEFORE = ("pad", "ffill")
_AFTER = ("backfill", "bfill")
"""The methods that select the value before or after a label, by both of their names in xarray."""


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
        self._moments = plain.dtype.kind == "M"
        if self._moments:  # are counted, as other times are
            exact = np.datetime_data(plain.dtype)[0] not in _OF_SECONDS
            units = f"{'ns' if exact else 's'} since 1970-01-01"
            calendar = "proleptic_gregorian"
            self.values = self.values.astype(f"M8[{'ns' if exact else 's'}]").view(np.int64)
        self.times = time_units(str(units), str(calendar)) if isinstance(units, str) else None
        falls = bool(np.all(self.values[1:] <= self.values[:-1]))
        self._falls = falls and bool((self.values[:1] > self.values[-1:]).all())

    def of(
        self, label: Any, method: str | None = None, tolerance: Any = None
    ) -> int | slice | npt.NDArray[np.intp]:
        """Return the positions of a label.

        Parameters
        ----------
        label : object
            A value, a time, a slice, or a list.  A text such as ``"2001-03"`` selects all
            times in that period, unless no time of the coordinate has a finer resolution: then it
            selects the time that it says.  Slices include both ends.
        method : {"nearest", "pad", "ffill", "backfill", "bfill"}, optional
            Which value to select if there is no equal one: the nearest one, the one before the
            label in the order of the coordinate, or the one after it.
        tolerance : number or timedelta, optional
            The greatest distance to the value that `method` selects.

        Raises
        ------
        KeyError
            If the coordinate has no such value.
        """
        if method not in (None, "nearest", *_BEFORE, *_AFTER):
            raise ValueError(
                f"method must be 'nearest', 'pad' ('ffill') or 'backfill' ('bfill'), not {method!r}"
            )
        if tolerance is not None and method is None:
            raise ValueError("tolerance needs a method")
        if isinstance(label, slice):
            if method is not None:
                raise NotImplementedError(f"a slice along {self.name} takes no method")
            if label.start is None and label.stop is None:
                return label
            backwards = label.step is not None and label.step < 0
            ends = (label.stop, label.start) if backwards else (label.start, label.stop)
            return _as_slice(self.places[self._between(*ends)][:: label.step])
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

    def _between(self, start: Any, stop: Any) -> npt.NDArray[np.intp]:
        values = self.values
        if not self._falls and not np.all(values[1:] >= values[:-1]):
            return self._from_to(start, stop)
        ends = (stop, start) if self._falls else (start, stop)
        within = np.ones(len(values), bool)
        if ends[0] is not None:
            within &= values >= self._bounds(ends[0])[0]
        if ends[1] is not None:
            first, after = self._bounds(ends[1])
            within &= values <= first if first == after else values < after
        return np.flatnonzero(within)

    def _from_to(self, start: Any, stop: Any) -> npt.NDArray[np.intp]:
        """Return the positions between two values of an unsorted coordinate."""
        ends = [0, len(self.values) - 1]
        for which, end in enumerate((start, stop)):
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
        """Return the positions of a value, or of the value that `method` selects instead."""
        value = self._bounds(label)[0]
        kinds = {"i": Real, "u": Real, "f": Real, "M": np.datetime64, "m": np.timedelta64}
        can_be_near = isinstance(value, kinds.get(self.values.dtype.kind, ()))
        places = self._within(value, value)
        if method is not None and can_be_near and not places.size:
            places = self._instead_of(value, method, tolerance)
        if not places.size:
            hint = "; `method='nearest'` selects the nearest" if can_be_near and not method else ""
            raise KeyError(f"{self.name} has no value {label!r}{hint}")
        return places

    def _instead_of(self, value: Any, method: str, tolerance: Any) -> npt.NDArray[np.intp]:
        """Return the positions of the nearest value on a side of `value`; of two, the greater."""
        values, distances = self.values, self._distances(value)
        there = ~np.isnan(distances)
        if method in (_AFTER if self._falls else _BEFORE):
            there &= values <= value
        elif method in (_BEFORE if self._falls else _AFTER):
            there &= values >= value
        if not there.any():
            return np.zeros(0, np.intp)
        least = distances[there].min()
        nearest = values[there & (distances == least)].max()
        if distances.dtype.kind == "u":  # they are of the next possible value
            least = abs(int(nearest) - int(value))
        if tolerance is not None and least > self._distance(tolerance):
            return np.zeros(0, np.intp)
        return np.flatnonzero(values == nearest)

    def _distance(self, tolerance: Any) -> Any:
        """Return a distance in the units of the coordinate."""
        if isinstance(tolerance, (dt.timedelta, np.timedelta64)):
            length: Any = None
            if self.times is not None:
                length = np.timedelta64(self.times.length, "ns")
            elif self.values.dtype.kind == "m":
                length = np.ones((), self.values.dtype)
            return tolerance if length is None else np.timedelta64(tolerance) / length
        return tolerance

    def _distances(self, value: Any) -> npt.NDArray[Any]:
        values = self.values
        if values.dtype.kind not in "iu" or not isinstance(value, Integral) or not values.size:
            one = np.ones((), values.dtype) if values.dtype.kind == "m" else 1.0
            floats: npt.NDArray[Any] = np.abs((values - value) / one)
            return floats
        # In integers, without overflow.
        least, most = int(values.min()), int(values.max())
        within = values.dtype.type(min(max(int(value), least), most))
        distances: npt.NDArray[Any] = np.maximum(values, within) - np.minimum(values, within)
        return distances.view(values.dtype.str.replace("i", "u"))

    def _bounds(self, label: Any) -> tuple[Any, Any]:
        """Return the half-open interval of values that a label selects; empty for one value."""
        if self.values.dtype.kind == "m" and isinstance(label, dt.timedelta):
            label = np.timedelta64(label)
        if self.times is None or (isinstance(label, Real) and not self._moments):
            if self.values.dtype.kind == "f" and isinstance(label, Real):
                with np.errstate(over="ignore"):
                    label = self.values.dtype.type(label)  # a float32 coordinate has 0.1 rounded
            return label, label
        exact = isinstance(label, (np.datetime64, dt.date))
        first, after = _period(str(label), self.times.calendar)
        begins = self._count(first)
        exact |= self.times.calendar in _OF_PANDAS and after - first <= self._resolution()
        return begins, begins if exact else self._count(after)

    def _resolution(self) -> int:
        """Return the longest unit that divides all times, in nanoseconds."""
        assert self.times is not None
        if not self.values.size:
            return _RESOLUTIONS[0]
        whole = np.floor(self.values).astype(np.int64)
        parts = np.rint((self.values - whole) * self.times.length).astype(np.int64)
        begins = self.times.start + int(whole[0]) * self.times.length
        steps = int(np.gcd.reduce(whole - whole[0])) * self.times.length
        common = math.gcd(begins, steps, int(np.gcd.reduce(parts)))
        return next(unit for unit in _RESOLUTIONS if common % unit == 0)

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
