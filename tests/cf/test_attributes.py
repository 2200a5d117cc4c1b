"""Attributes that change dtypes, numbers and times, and attributes without meaning."""

from __future__ import annotations

import numpy as np
import pytest

from biggus import cf

netCDF4 = pytest.importorskip("netCDF4")


KEPT = [
    ("i1", {"dtype": "bool"}, "?"),
    ("u1", {"dtype": np.array(["bool"], object)}, "?"),
    ("i4", {"dtype": b"bool"}, "?"),
    ("i1", {cf.KEPT_DTYPE: "|b1"}, "?"),
    ("f4", {cf.KEPT_DTYPE: ">f2"}, ">f2"),
    ("O", {cf.KEPT_DTYPE: "<U3"}, "<U3"),
    ("O", {cf.KEPT_DTYPE: "T"}, "T"),
    ("f4", {"dtype": "bool"}, None),
    ("i1", {"dtype": "int8"}, None),
    ("i1", {cf.KEPT_DTYPE: "<U3"}, None),
    ("f8", {cf.KEPT_DTYPE: "nonsense"}, None),
    ("f8", {cf.KEPT_DTYPE: "i4,("}, None),
    ("f8", {cf.KEPT_DTYPE: "(1000000,1000000,1000000)f8"}, None),
    ("f8", {cf.KEPT_DTYPE: ","}, None),
    ("O", {cf.KEPT_DTYPE: 3}, None),
]


@pytest.mark.parametrize(("stored", "attributes", "kept"), KEPT)
def test_dtype_attribute_is_restored(stored, attributes, kept):
    decode = cf.decoder(stored, attributes, default_fills=False)
    assert cf.follows(np.dtype(stored), attributes) == (kept is not None)
    if kept is None:
        assert decode is None
        return
    values = np.array(["a", "", "abc"], "O") if stored == "O" else np.array([0, 1, 1], stored)
    got = decode(values)
    assert got.dtype == np.dtype(kept)
    assert got.tolist() == values.astype(kept).tolist()
    assert cf.decoder(stored, attributes, default_fills=False, restore=False) is None


def test_scaled_values_are_not_restored_to_bool():
    decode = cf.decoder("i1", {"dtype": "bool", "scale_factor": 0.5, "_FillValue": np.int8(-1)})
    assert decode(np.array([0, 1, -1], "i1")).tolist() == [0.0, 0.5, None]


@pytest.mark.parametrize("dtype", ["M8[s]", ">M8[ns]", "m8[h]"])
@pytest.mark.parametrize("fill", ["NaT", 5])
def test_fill_values_of_times(dtype, fill):
    fill = np.array(fill, "i8").view("i8").astype(dtype) if fill == 5 else np.array(fill, dtype)
    values = np.array([0, 5, 7, np.iinfo("i8").min]).astype(dtype)
    decode = cf.decoder(dtype, {"_FillValue": fill[()], "valid_min": 6, "scale_factor": 2.0})
    got = decode(values)
    assert got.dtype == values.dtype
    mask = np.isnat(values) if np.isnat(fill) else values == fill
    np.testing.assert_array_equal(np.ma.getmaskarray(got), mask)
    assert cf.decoder(dtype, {"units": "K"}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"scale_factor": np.float32(0.5)}, {"scale_factor": np.float64(0.5)}),
        ({"_FillValue": np.int16(1)}, {"_FillValue": np.int16(2)}),
        ({"_FillValue": np.int16(1)}, {"missing_value": np.int16(1)}),
        ({"valid_min": np.int16(1)}, {"valid_max": np.int16(1)}),
        ({"add_offset": np.float64(1)}, {"add_offset": np.float64(1), "_Unsigned": "true"}),
        ({"valid_range": np.array([1, 2], "i2")}, {"valid_range": np.array([[1, 2]], "i4")}),
    ],
)
def test_remembered_decoders_are_distinct_by_attributes(one, other):
    """Decoders are cached by attributes and dtype, whichever comes first."""
    for _ in range(2):
        first, second = cf.decoder("i2", one), cf.decoder("i2", other)
        assert first == cf.decoder("i2", dict(one))
        if one.keys() != other.keys() or "valid_range" not in one:
            assert first != second
    assert cf.decoder("i2", one, default_fills=False) != cf.decoder("i4", one, default_fills=False)
    assert cf.decoder("i2", {"dtype": "bool", **one}) == cf.decoder("i2", {"dtype": "bool", **one})
