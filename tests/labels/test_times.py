"""Time counts and their units match cftime."""

import pickle
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import assume, given
from hypothesis import strategies as st

from biggus.labels.times import Recount, calendar_named, comparable, time_units

cftime = pytest.importorskip("cftime")

CALENDARS = (
    *("standard", "gregorian", "proleptic_gregorian", "julian"),
    *("noleap", "365_day", "all_leap", "366_day", "360_day"),
)
NANOSECONDS = {
    "weeks": 7 * 86400 * 10**9,
    "days": 86400 * 10**9,
    "hours": 3600 * 10**9,
    "nanoseconds": 1,
}
UNITS = ("microseconds", "milliseconds", "seconds", "minutes", "hours", "days")


@st.composite
def references(draw):
    """Draw reference dates in the notations of files, which cftime reads too."""
    year = draw(st.sampled_from([1, 4, 1582, 1900, 2000]) | st.integers(1, 3000))
    month, day = draw(st.integers(1, 12)), draw(st.integers(1, 31))
    text = draw(st.sampled_from([f"{year:04}-{month:02}-{day:02}", f"{year}-{month}-{day}"]))
    time = draw(st.sampled_from(["", "06:30", "6:5:4", "23:59:59", "00:00:00.0", "12:00:00.25"]))
    if time:
        text += draw(st.sampled_from([" ", "T"])) + time
        text += draw(st.sampled_from(["", "Z", " UTC", "+01:00", "-05:30", " +02:00", "+0100"]))
    return text


def date_of(value, units, calendar):
    return cftime.num2date(value, units, calendar=calendar, only_use_cftime_datetimes=True)


@given(references(), references(), st.sampled_from(CALENDARS), st.data())
def test_recount_keeps_the_date(first, second, calendar, data):
    unit, other = data.draw(st.sampled_from(UNITS)), data.draw(st.sampled_from(UNITS))
    units, wanted = f"{unit} since {first}", f"{other} since {second}"
    known = time_units(units, calendar)
    try:
        start, origin = date_of(0, units, calendar), date_of(0, wanted, calendar)
    except ValueError:
        assume(False)
    assert known is not None
    apart = start - origin
    assert (
        known.start - time_units(wanted, calendar).start
        == apart // timedelta(microseconds=1) * 1000
    )
    recount = Recount(np.dtype("f8"), known, time_units(wanted, calendar))
    found = recount(np.array([0.0, 1.0, 250.0]))
    right = (np.array([0, 1, 250]) * length_of(unit) + apart) / length_of(other)
    np.testing.assert_allclose(found, right.astype("f8"), rtol=1e-15)


def length_of(unit):
    return timedelta(**{unit: 1})


@given(st.integers(1, 2200), st.integers(1, 12), st.integers(1, 31), st.sampled_from(CALENDARS))
def test_reference_dates_outside_the_calendar_are_none(year, month, day, calendar):
    units = f"days since {year:04}-{month:02}-{day:02}"
    try:
        date_of(0, units, calendar)
    except ValueError:
        assert time_units(units, calendar) is None
    else:
        assert time_units(units, calendar) is not None


@pytest.mark.parametrize(
    ("units", "same"),
    [
        # The example of the CF conventions; cftime ignores such a time zone.
        ("seconds since 1992-10-8 15:15:42.5 -6:00", "seconds since 1992-10-08 21:15:42.5"),
        ("Days Since 2000-01-01 00:00:00 +5", "d since 1999-12-31T19:00Z"),
        ("hr since 2000-1-1", "hours since 2000-01-01 00:00:00.000"),
        ("weeks since 2000-01-01", "weeks since 2000-01-01 00:00"),
    ],
)
def test_equivalent_notations_are_equal(units, same):
    assert time_units(units) == time_units(same) is not None


@pytest.mark.parametrize(
    "units",
    [
        *("", "K", "days", "months since 2000-01-01", "years since 2000-01-01", "day as %Y%m%d.%f"),
        *(
            "days since 2000",
            "days since 2000-01",
            "days since 2000-13-01",
            "days since 2000-02-30",
        ),
        *("days since 2000-01-01 24:00", "days since 2000-01-01 10:60", "days since 0000-01-01"),
        *("days since 2000-01-01 6", "days since 2000-01-01 CET", "days since 2000-01-01 10:00:61"),
        *("days since 1582-10-10", "days since -100-01-01", "furlongs since 2000-01-01"),
    ],
)
def test_unknown_units_are_none(units):
    assert time_units(units) is None


def test_calendars():
    first = time_units("days since 1582-10-15")
    assert comparable(first, time_units("days since 1582-10-15", "proleptic_gregorian"))
    assert time_units("days since 2000-01-01", "none") is None
    assert time_units("days since 2000-01-01", "lunar") is None
    assert calendar_named(" Gregorian ") == "standard"
    assert time_units("days since 2000-01-01", "365_day") == time_units(
        "days since 2000-01-01", "noleap"
    )
    assert time_units("days since 0000-01-01", "noleap") is not None


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "u4", "i8", "u8", "f4", "f8", ">i4"])
@pytest.mark.parametrize(
    ("units", "wanted"),
    [
        ("days since 2000-02-01", "days since 2000-01-01"),
        ("days since 2000-02-01", "hours since 2000-01-01"),
        ("hours since 2000-02-01", "days since 2000-01-01"),
        ("days since 2000-02-01 12:00", "days since 2000-01-01"),
        ("weeks since 2000-01-01", "nanoseconds since 1990-01-01"),
    ],
)
def test_recounts_are_exact(dtype, units, wanted):
    recount = Recount(np.dtype(dtype), time_units(units), time_units(wanted))
    values = np.array([0, 1, 24, 100], dtype)
    found = recount(values)
    assert found.dtype == recount.dtype
    whole = np.dtype(dtype).kind in "iu" and recount.divisor == 1
    assert found.dtype == ("i8" if whole else "f8")
    (unit, start), (other, other_start) = (text.split(" since ") for text in (units, wanted))
    between = np.datetime64(start, "ns") - np.datetime64(other_start, "ns")
    length, other_length = (NANOSECONDS[name] for name in (unit, other))
    right = [Fraction(int(v) * length + int(between.astype("i8")), other_length) for v in values]
    assert found.tolist() == [float(count) for count in right]
    again = pickle.loads(pickle.dumps(recount))
    assert again.key == recount.key
    np.testing.assert_array_equal(again(values[::-1].reshape(2, 2)), found[::-1].reshape(2, 2))
    assert recount(values[:0]).shape == (0,)
    assert recount(values[1].reshape(())).shape == ()


def test_masked_counts_stay_masked_and_never_overflow():
    recount = Recount(
        np.dtype("i8"), time_units("days since 2000-01-01"), time_units("hours since 2000-01-01")
    )
    values = np.ma.masked_array([1, 2**62, 2], [False, True, False])
    found = recount(values)
    assert found.mask.tolist() == [False, True, False]
    assert found.compressed().tolist() == [24, 48]
    with pytest.raises(OverflowError, match="exceeds int64"):
        recount(values.data)
    # NumPy would wrap 2**63 around to -2**63.
    same = Recount(
        np.dtype("u8"), time_units("days since 2000-01-02"), time_units("days since 2000-01-01")
    )
    assert same(np.array([2**63 - 2], "u8")).tolist() == [2**63 - 1]
    with pytest.raises(OverflowError, match="exceeds int64"):
        same(np.array([2**63], "u8"))


@pytest.mark.parametrize("dtype", ["i4", "f4", "f8"])
@pytest.mark.parametrize("wanted", ["days since 2000-01-01", "hours since 1582-10-15"])
def test_calendars_that_agree_since_1582_are_comparable(dtype, wanted):
    units = time_units("days since 2000-01-01", "standard")
    other = time_units(wanted, "proleptic_gregorian")
    assert comparable(units, other)
    recount = Recount(np.dtype(dtype), units, other)
    first = -(units.start - time_units("days since 1582-10-15").start) // units.length
    values = np.array([first, 0, 20000], dtype)
    found = recount(values)
    dates = [
        cftime.num2date(counts, text, calendar, only_use_cftime_datetimes=True)
        for counts, text, calendar in (
            (values, "days since 2000-01-01", "standard"),
            (found, wanted, "proleptic_gregorian"),
        )
    ]
    assert [d.isoformat() for d in dates[0]] == [d.isoformat() for d in dates[1]]
    assert (found.dtype == dtype) == (units.start == other.start or dtype == "f8")
    masked = np.ma.masked_array([first - 1, 5], [True, False], dtype)
    assert recount(masked).count() == 1
    with pytest.raises(ValueError, match="before 15 October 1582"):
        recount(masked.data)


@pytest.mark.parametrize("start", ["1582-10-04", "0001-01-01"])
@pytest.mark.parametrize("calendar", ["proleptic_gregorian", "julian", "noleap"])
def test_different_calendars_are_not_comparable(start, calendar):
    one, late = time_units("days since 2000-01-01"), time_units("days since 2000-01-01", calendar)
    early = time_units(f"days since {start}", calendar)
    assert not comparable(one, early)
    assert not comparable(early, one)
    assert comparable(early, late)
    assert comparable(one, late) == (calendar == "proleptic_gregorian")
