"""Units of time such as ``hours since 2000-01-01``, and exact conversion between them.

Units of fixed length are understood, from nanoseconds to weeks.  They are represented by whole
numbers of nanoseconds, so that conversions are exact.  Other units are None, never guessed.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.graph import BaseStep
from biggus.sources.base import Values

_SECOND = 10**9
_DAY = 86400 * _SECOND

_LENGTHS = {
    name: length
    for length, names in {
        1: "nanosecond nanoseconds nanosec nanosecs nsec nsecs ns",
        10**3: "microsecond microseconds microsec microsecs",
        10**6: "millisecond milliseconds millisec millisecs msec msecs ms",
        _SECOND: "second seconds sec secs s",
        60 * _SECOND: "minute minutes min mins",
        3600 * _SECOND: "hour hours hr hrs h",
        _DAY: "day days d",
        7 * _DAY: "week weeks",
    }.items()
    for name in names.split()
}
"""The lengths of units in nanoseconds; months and years have no fixed length."""

_CALENDARS = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
"""The second names of calendars, with the first."""

_SINCE = re.compile(
    r"""\s*(?P<unit>[a-z]+)\s+since\s+
    (?P<year>\d{1,6})-(?P<month>\d{1,2})-(?P<day>\d{1,2})
    (?:(?:\s+|t)(?P<hour>\d{1,2}):(?P<minute>\d{1,2})
        (?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{0,9})0*)?)?)?
    \s*(?:z|utc|gmt|(?P<sign>[+-])(?P<east>\d{1,2})(?::?(?P<past>\d\d))?)?\s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

_MOST = 2**63 - 1

_GREGORIAN = 577738 * _DAY
"""15 October 1582, the first day of the Gregorian calendar."""

_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class TimeUnits(NamedTuple):
    """Units of time, as :func:`time_units` parses them."""

    length: int
    """The length of the unit in nanoseconds."""

    start: int
    """The time of zero, in nanoseconds since a day that depends on the calendar."""

    calendar: str
    """The first name of the calendar."""


@functools.lru_cache(maxsize=1024)
def time_units(units: str, calendar: str = "standard") -> TimeUnits | None:
    """Parse units of time; None if `units` are of another kind.

    Parameters
    ----------
    units : str
        The units, such as ``hours since 2000-01-01 12:00:00``, optionally with a time zone.
    calendar : str
        A calendar of the CF conventions.

    Examples
    --------
    >>> a, b = time_units("days since 2000-01-01"), time_units("hours since 2000-01-02 06:00")
    >>> b.start - a.start == 30 * 3600 * 10**9
    True
    >>> time_units("months since 2000-01-01")
    """
    match = _SINCE.fullmatch(units)
    length = _LENGTHS.get(match["unit"].lower()) if match else None
    if match is None or length is None:
        return None
    texts = {"unit", "sign", "fraction"}
    number = {name: int(match[name] or 0) for name in match.groupdict().keys() - texts}
    calendar = calendar_named(calendar)
    day = _day(number["year"], number["month"], number["day"], calendar)
    within = number["hour"] < 24 and max(number["minute"], number["second"], number["past"]) < 60
    if day is None or not within:
        return None
    zone = 3600 * number["east"] + 60 * number["past"]
    seconds = 3600 * number["hour"] + 60 * number["minute"] + number["second"]
    seconds += zone if match["sign"] == "-" else -zone
    fraction = int((match["fraction"] or "").ljust(9, "0"))
    return TimeUnits(length, day * _DAY + seconds * _SECOND + fraction, calendar)


def calendar_named(calendar: str) -> str:
    """Return the first name of a calendar."""
    name = calendar.strip().lower()
    return _CALENDARS.get(name, name)


def _day(year: int, month: int, day: int, calendar: str) -> int | None:
    """Return the number of a day in its calendar; None if the calendar has no such day."""
    if not 1 <= month <= 12:
        return None
    if calendar == "360_day":
        return 360 * year + 30 * month + day if 1 <= day <= 30 else None
    leap = {
        "noleap": False,
        "all_leap": True,
        "julian": year % 4 == 0,
        "standard": _leaps(year) if year > 1582 else year % 4 == 0,
        "proleptic_gregorian": _leaps(year),
    }.get(calendar)
    if leap is None or not 1 <= day <= _MONTHS[month - 1] + (leap and month == 2):
        return None
    # These two calendars have no year 0.
    if calendar in {"standard", "julian"} and year < 1:
        return None
    before = list(accumulate(_MONTHS, initial=0))[month - 1] + (leap and month > 2) + day
    if calendar in {"noleap", "all_leap"}:
        return (365 + leap) * year + before
    past = year - 1
    julian = 365 * past + past // 4 + before
    gregorian = julian - past // 100 + past // 400 + 2  # both count the same days
    if calendar == "standard":
        # The day after 4 October 1582 was the 15th.
        date = (year, month, day)
        if (1582, 10, 4) < date < (1582, 10, 15):
            return None
        return julian if date <= (1582, 10, 4) else gregorian
    return julian if calendar == "julian" else gregorian


def _leaps(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def comparable(one: TimeUnits, other: TimeUnits) -> bool:
    """Tell whether times in some units can be converted to other units.

    They can if the calendars are the same.  The standard and the proleptic Gregorian calendar
    agree from 15 October 1582 on; units that start there or later can be converted.

    Examples
    --------
    >>> a, b = (time_units("days since 2000-01-01", name) for name in ("julian", "standard"))
    >>> comparable(a, b)
    False
    """
    if one.calendar == other.calendar:
        return True
    gregorian = {one.calendar, other.calendar} == {"standard", "proleptic_gregorian"}
    return gregorian and min(one.start, other.start) >= _GREGORIAN


class Recount(BaseStep):
    """An elementwise step that converts times to other units.

    Integers become int64 if that is exact, all other values float64.  Values that do not change
    keep their dtype.

    Parameters
    ----------
    dtype : dtype
        The dtype of the values, of integers or floats.
    units, wanted : TimeUnits
        The present and the wanted units, which are `comparable`.
    attributes : mapping of str to str, optional
        The attributes of the result: units and calendar.

    Examples
    --------
    >>> a, b = time_units("days since 2000-01-01"), time_units("hours since 2000-01-02 06:00")
    >>> Recount(np.dtype("i4"), a, b)(np.array([0, 2], "i4"))
    array([-30,  18])
    >>> Recount(np.dtype("i4"), b, a)(np.array([0, 6], "i4"))
    array([1.25, 1.5 ])
    """

    owns_data = True

    def __init__(
        self,
        dtype: np.dtype[Any],
        units: TimeUnits,
        wanted: TimeUnits,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self.attributes = dict(attributes or {})
        terms = (units.length, units.start - wanted.start, wanted.length)
        common = math.gcd(*terms)
        # A value v becomes (factor * v + offset) / divisor.
        self.factor, self.offset, self.divisor = (term // common for term in terms)
        self._shift = self.offset / self.divisor if self.divisor > 1 else self.offset
        small = max(self.factor, abs(self.offset)) <= _MOST
        exact = dtype.kind in "iu" and self.divisor == 1 and small
        same = self.factor == self.divisor and not self.offset
        self.dtype = dtype if same else np.dtype(np.int64 if exact else np.float64)
        self._whole = exact and not same
        self.earliest: float | None = None
        if units.calendar != wanted.calendar:
            self.earliest = (_GREGORIAN - units.start) / units.length

    @property
    def key(self) -> str:
        """The identity of the step, equal for equal conversions."""
        terms = self.factor, self.offset, self.divisor, self.earliest, self.dtype.str
        return f"recount{terms}"

    def __call__(self, values: Values) -> Values:
        """Return the values in the wanted units.

        Raises
        ------
        OverflowError
            If a result exceeds int64.
        ValueError
            If the two calendars differ at one of the dates.
        """
        counts: npt.NDArray[Any] = np.ma.getdata(values).astype(self.dtype)
        if self._whole or self.earliest is not None:
            self._check(np.ma.compressed(values))
        with np.errstate(all="ignore"):  # masked values may be anything
            if self.factor == self.divisor:
                counts += self._shift
            else:
                counts *= self.factor
                counts += self.offset
            if self.divisor not in (1, self.factor):
                counts /= self.divisor
        if isinstance(values, np.ma.MaskedArray):
            return np.ma.MaskedArray(counts, mask=np.ma.getmask(values))
        return counts

    def _check(self, known: npt.NDArray[Any]) -> None:
        if self.earliest is not None and (known < self.earliest).any():
            raise ValueError(
                f"the time {known.min()} is a date before 15 October 1582, when the standard and "
                "the proleptic Gregorian calendar differ"
            )
        for value in (int(known.min()), int(known.max())) if self._whole and known.size else ():
            if abs(self.factor * value + self.offset) > _MOST:
                raise OverflowError(f"the time {value} exceeds int64 in other units")
