"""Selecting by value: positions of labels are those that xarray finds."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from biggus.datasets.selecting import AxisPositions

NANO = 10**18  # as a float, it has no neighbour that is one more


def moment(n):
    return np.datetime64(NANO + n, "ns")


@pytest.mark.parametrize(
    ("values", "units", "labels"),
    [
        ([0.0, 1, 2, 3], None, [1, 1.5, -9, [0.5, 2], slice(0.5, 2.5), slice(3, 0), slice(None)]),
        ([3.0, 2, 1, 0], None, [1.5, [0.5, 2], slice(2.5, 0.5), slice(0, 3)]),
        (np.float32([0.1, 0.2, 0.3]), None, [0.1, np.float64(0.3), slice(*np.float64([0.1, 0.3]))]),
        ([0.0, 90, 180, -90], None, [-90, slice(0, 180), slice(90, None), slice(-100, 100)]),
        ([0.0, 1, 1, 2], None, [1, 2, slice(1, 2), [1, 2], 1.2]),
        (np.uint8([0, 100, 250]), None, [100, 40, slice(50, 300)]),
        (np.array([-120, 100], ">i1"), None, [-120, 0, 7]),
        (2**60 + np.arange(4), None, [2**60 + 1, [2**60 + 2], slice(2**60 + 1, 2**60 + 2)]),
        (
            NANO + np.arange(4),
            "nanoseconds since 1970-01-01",
            [moment(2), [moment(3), moment(1)], slice(moment(1), moment(2))],
        ),
        (["a", "b"], None, ["b", ["b", "a"], "c", slice("a", "b")]),
    ],
)
def test_positions_match_xarray_sel(values, units, labels):
    xr = pytest.importorskip("xarray")
    attributes = {"units": units} if units else {}
    values = np.asarray(values)
    positions = AxisPositions("x", values, attributes)
    places = xr.DataArray(np.arange(len(values)), {"x": ("x", values, attributes)}, dims="x")
    right = xr.decode_cf(places.to_dataset(name="places"))["places"]
    # pandas finds nearest labels in monotonic indexes only, and wraps unsigned integers around.
    index = right.indexes["x"]
    ordered = index.is_monotonic_increasing or index.is_monotonic_decreasing
    nearest = index.is_unique and ordered and values.dtype.kind in "if"
    for label in labels:
        for method in [None] if isinstance(label, slice) else [None, "nearest"]:
            if method and not nearest:
                continue
            try:
                expected = right.sel(x=label, method=method).values.tolist()
            except Exception:
                with pytest.raises(KeyError):
                    positions.of(label, method)
                continue
            got = places.values[positions.of(label, method)].tolist()
            assert got == expected, (label, method)


HOURS = np.timedelta64(1, "h")
DAYS = ["2000", "2000-01", "2000-01-02", "2000-01-02 00", "2000-01-02 06:00", "2000-01-02T06:00:00"]

SELECTED_LIKE_XARRAY = [
    *[
        (values, None, label, {"method": method, "tolerance": tolerance})
        for values in ([3.0, 1.5, 0.5], [7, 4, 1], [1, 4, 7])
        for label in (-3, 0.75, 2, 4, 6, 12, [0.9, 3])
        for method in ("pad", "backfill", "nearest")
        for tolerance in (None, 1)
    ],
    *[
        (values, None, slice(start, stop, -1), {})
        for values in ([0.0, 1, 2, 3], [3.0, 2, 1, 0])
        for start, stop in [(2, None), (None, 1), (2, 1), (1, 2), (None, None)]
    ],
    *[
        (np.array([0, 6, 12]) * HOURS.astype("m8[ns]"), None, label, given)
        for label, given in [
            (dt.timedelta(hours=6), {}),
            (slice(dt.timedelta(hours=2), 7 * HOURS), {}),
            (dt.timedelta(hours=5), {"method": "nearest"}),
            (dt.timedelta(hours=5), {"method": "pad", "tolerance": np.timedelta64(30, "m")}),
        ]
    ],
    *[
        (values, units, label, given)
        for values, units in [
            ([0, 1, 2, 35], "days since 2000-01-01"),
            ([0.0, 24, 30, 48], "hours since 2000-01-01"),
            ([0.0, 1, 1.25], "days since 2000-01-01"),
            (np.datetime64("2000-01-01", "s") + np.array([0, 24, 30]) * HOURS, None),
            (np.datetime64("2000-01-01", "ns") + np.array([48, 24]) * HOURS, None),
        ]
        for label, given in [
            *[(text, {}) for text in DAYS],
            *[(slice(*ends), {}) for ends in (("2000-01-02", None), (None, "2000-01-02"))],
            ("2000-01-02 05", {"method": "pad"}),
            ("2000-01-02 05", {"method": "backfill", "tolerance": 3 * HOURS}),
        ]
        if not (isinstance(label, slice) and values[0] > values[-1])  # pandas refuses such
    ],
    ([], None, 1.0, {"method": "nearest"}),
    ([np.nan, 3.0], None, slice(None), {}),
]


@pytest.mark.parametrize(("values", "units", "label", "given"), SELECTED_LIKE_XARRAY)
def test_selection_matches_xarray(values, units, label, given):
    xr = pytest.importorskip("xarray")
    values, attributes = np.asarray(values), {"units": units} if units else {}
    positions = AxisPositions("x", values, attributes)
    places = np.arange(len(values))
    right = xr.decode_cf(xr.Dataset({"places": ("x", places)}, {"x": ("x", values, attributes)}))
    try:
        expected = right["places"].sel(x=label, **given).values
    except KeyError:
        with pytest.raises(KeyError):
            positions.of(label, **given)
    else:
        assert places[positions.of(label, **given)].tolist() == expected.tolist()


def test_nearest_label_of_unsigned_integers():
    positions = AxisPositions("x", np.uint8([0, 100, 250]), {})
    assert positions.of([40, 60, 200, -5, 300], "nearest").tolist() == [0, 1, 2, 0, 2]


def test_missing_values_match_no_label():
    masked = np.ma.masked_array([5, 0, 7], [False, True, False])
    positions = AxisPositions("x", masked, {})
    assert positions.of(7) == 2
    assert positions.of(slice(5, 7)).tolist() == [0, 2]
    assert positions.of(0, "nearest") == 0
    nans = AxisPositions("x", np.array([np.nan, 3, 4]), {})
    assert nans.of(9, "nearest") == 2
    assert nans.of(slice(0, 9)) == slice(1, 3)
    for none in (np.nan, "a", None):
        with pytest.raises(KeyError, match="no value"):
            nans.of(none, "nearest")


def test_duplicate_labels_give_all_positions_or_an_error():
    positions = AxisPositions("x", np.array([0.0, 1, 1]), {})
    assert positions.of(1) == slice(1, 3)
    assert positions.of(5, "nearest") == slice(1, 3)
    with pytest.raises(KeyError, match="x has 1 at 2 positions"):
        positions.of([0, 1])
    with pytest.raises(ValueError, match="a list of values"):
        positions.of([[0, 1]])
