"""Counts of time: what ``hours since 2000-01-01`` in a calendar means, and other counts of it.

Only counts in units of fixed length are understood: of nanoseconds to weeks.  All that
is told of them is whole numbers of nanoseconds, so that how one count becomes another
is known exactly; what is not understood is None, and never guessed.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

import functools
import math
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

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
"""Nanoseconds; months and years are of no fixed length, or of one that nobody means."""

_CALENDARS = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
"""Calendars that have two names."""

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
    """A count of time, in nanoseconds.

    Made by :func:`time_units`.
    """

    length: int
    """How long one is."""

    start: int
    """Where zero is, from a day that is the calendar's own."""

    calendar: str
    """The calendar, by the first of its names."""


@functools.lru_cache(maxsize=1024)
def time_units(units: str, calendar: str = "standard") -> TimeUnits | None:
    """Return what counts of time in `units` mean, or None if they are no such counts.

    Parameters
    ----------
    units : str
        Such as ``hours since 2000-01-01 12:00:00``, with a time zone perhaps.
    calendar : str
        One of the CF conventions.

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
    number = {name: int(text or 0) for name, text in match.groupdict().items() if _counts(name)}
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


def _counts(name: str) -> bool:
    return name not in {"unit", "sign", "fraction"}


def calendar_named(calendar: str) -> str:
    """Return the first name of a calendar that has several."""
    name = calendar.strip().lower()
    return _CALENDARS.get(name, name)


def _day(year: int, month: int, day: int, calendar: str) -> int | None:
    """Return the number of a day in its calendar, or None if it has no such day."""
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
    # These two have no year 0: what is so written is another one, or a mistake.
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
    """Tell whether counts of one kind can become counts of the other, of the same dates.

    They can in one calendar.  The standard and the proleptic Gregorian one agree from
    15 October 1582 on, where both counts have to begin.

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


class Recount:
    """Counts of time in some units as counts in others: a step, value by value.

    Of integers it makes int64 where that is exact, of all else float64; counts that stay
    what they are keep their dtype.

    Parameters
    ----------
    dtype : dtype
        Of the values: integers or floats.
    units, wanted : TimeUnits
        What they are counts of, and are to be; `comparable`.
    said : mapping of str to str, optional
        The attributes that say what they are to be.

    Examples
    --------
    >>> a, b = time_units("days since 2000-01-01"), time_units("hours since 2000-01-02 06:00")
    >>> Recount(np.dtype("i4"), a, b)(np.array([0, 2], "i4"))
    array([-30,  18])
    >>> Recount(np.dtype("i4"), b, a)(np.array([0, 6], "i4"))
    array([1.25, 1.5 ])
    """

    masked = False
    fill_value = None
    owns_data = True

    def __init__(
        self,
        dtype: np.dtype[Any],
        units: TimeUnits,
        wanted: TimeUnits,
        said: Mapping[str, str] | None = None,
    ) -> None:
        self.said = dict(said or {})
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
        """What is equal for steps that do the same."""
        terms = self.factor, self.offset, self.divisor, self.earliest, self.dtype.str
        return f"recount{terms}"

    def __call__(self, values: Values) -> Values:
        """Return the counts in the units that are wanted.

        Raises
        ------
        OverflowError
            If int64 does not hold one of them.
        ValueError
            If one is of a date on which the two calendars are not the same.
        """
        counts: npt.NDArray[Any] = np.ma.getdata(values).astype(self.dtype)
        if self._whole or self.earliest is not None:
            self._check(np.ma.compressed(values))
        with np.errstate(all="ignore"):  # what lies under a mask may be anything
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
                f"the count of time {known.min()} is of a date before 15 October 1582, when the "
                "standard and the proleptic Gregorian calendar differ"
            )
        for value in (int(known.min()), int(known.max())) if self._whole and known.size else ():
            if abs(self.factor * value + self.offset) > _MOST:
                raise OverflowError(f"{value} as a count of time in other units exceeds int64")
