"""CF decoding against netCDF4-python's own, on small files in memory."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import biggus
from biggus import cf
from biggus.sources.base import Source

netCDF4 = pytest.importorskip("netCDF4")

NUMERIC = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
CHARACTERS = np.array([b"a", b"b", b"*", b" ", b"z"], "S1")


def interesting(dtype):
    """Values of a dtype that fill values and limits are likely to match."""
    dtype = np.dtype(dtype)
    if dtype.kind == "S":
        return st.sampled_from(list(CHARACTERS))
    default = np.array(netCDF4.default_fillvals[dtype.str[1:]], dtype)[()]
    if dtype.kind == "f":
        known = [default, 0.0, -0.0, 1.0, 2.5, -99.0, 0.1, np.inf, -np.inf, np.nan, 1e20]
    else:
        info = np.iinfo(dtype)
        small = [n for n in (-5, -1, 0, 1, 2, 7, 100) if n >= info.min]
        known = [default, info.min, info.max, *small]
    with np.errstate(all="ignore"):
        return st.sampled_from([np.array(value, dtype)[()] for value in known])


def attribute_values(dtype):
    """Values for missing_value or valid_min: of the dtype, of another dtype, or nonsense."""
    other = st.sampled_from(NUMERIC).flatmap(interesting)
    vector = st.lists(interesting(dtype), min_size=1, max_size=3).map(
        lambda values: np.array(values, dtype)
    )
    text = st.sampled_from(["", "5", "missing", "nan"])
    return st.one_of(interesting(dtype), interesting(dtype), other, vector, text)


FACTORS = st.one_of(
    st.tuples(
        st.sampled_from([0.1, 1.0, 2.0, -3.5, 0.0, 10.0, np.nan]), st.sampled_from(NUMERIC[-2:])
    ).map(lambda pair: np.array(pair[0], pair[1])[()]),
    st.tuples(st.integers(0, 5), st.sampled_from(NUMERIC)).map(
        lambda pair: np.array(pair[0], pair[1])[()]
    ),
    st.sampled_from(["0.1x", "", np.array([1.0, 2.0])]),
)


@st.composite
def variables(draw):
    """A dtype, packed values, a fill value or none, and other attributes."""
    dtype = draw(st.sampled_from([*NUMERIC, "S1"]))
    values = np.array(draw(st.lists(interesting(dtype), min_size=1, max_size=8)), dtype)
    fill = draw(st.none() | interesting(dtype))
    attributes = {}
    names = ["missing_value", "valid_min", "valid_max"] if dtype != "S1" else ["missing_value"]
    for name in names:
        if draw(st.booleans()):
            letters = st.sampled_from(["a", "*", "ab", ""])
            attributes[name] = draw(letters if dtype == "S1" else attribute_values(dtype))
    if dtype != "S1":
        if draw(st.booleans()):
            pair = st.lists(interesting(dtype), min_size=2, max_size=2)
            attributes["valid_range"] = draw(
                st.one_of(pair.map(lambda two: np.array(two, dtype)), attribute_values(dtype))
            )
        for name in ("scale_factor", "add_offset"):
            if draw(st.booleans()):
                attributes[name] = draw(FACTORS)
        if draw(st.booleans()):
            attributes["_Unsigned"] = draw(st.sampled_from(["true", "True", "false", "TRUE"]))
    return dtype, values, fill, attributes


class NotDecodedError(Exception):
    """netCDF4-python itself fails on these attributes."""


def oracle(dtype, values, fill, attributes, *, mask=True, scale=True):
    """Return the values and the attributes as netCDF4-python reads them."""
    if any(np.size(attributes.get(name, 0)) > 1 for name in ("valid_min", "valid_max")):
        raise NotDecodedError  # it compares the values with the vector element by element
    with netCDF4.Dataset("x", "w", memory=1024, format="NETCDF3_64BIT_DATA") as dataset:
        dataset.createDimension("x", len(values))
        variable = dataset.createVariable("v", dtype, ("x",), fill_value=fill)
        for name, value in attributes.items():
            # Not every version writes an array of characters as an attribute.
            chars = isinstance(value, np.ndarray) and value.dtype.kind == "S"
            variable.setncattr(name, b"".join(value.ravel().tolist()) if chars else value)
        variable.set_auto_maskandscale(False)
        variable[:] = values
        stored = variable[:]
        assert stored.tobytes() == values.tobytes()
        variable.set_auto_mask(mask)
        variable.set_auto_scale(scale)
        read = {name: variable.getncattr(name) for name in variable.ncattrs()}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return variable[:], read
            except (TypeError, ValueError, IndexError) as error:
                raise NotDecodedError from error


def assert_equal(decode, values, expected, attributes):
    """Assert that `decode` gives the values that netCDF4-python gave."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = values if decode is None else decode(values)
    assert got.shape == values.shape
    assert got.dtype == expected.dtype
    masked = decode is not None and decode.masked
    assert isinstance(got, np.ma.MaskedArray) == masked
    expected_mask = np.ma.getmaskarray(expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(got), expected_mask)
    np.testing.assert_array_equal(np.asarray(got)[~expected_mask], expected.data[~expected_mask])
    if decode is not None:
        assert decode.dtype == got.dtype
    if masked:
        assert got.fill_value == decode.fill_value or decode.fill_value != decode.fill_value
    if expected_mask.any() and "missing_value" not in attributes:
        np.testing.assert_array_equal(
            np.array(got.fill_value), np.array(expected.fill_value).astype(got.dtype)
        )


SLOW_START = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@settings(SLOW_START, max_examples=5 * settings.default.max_examples)
@given(variables())
def test_matches_netcdf4(case):
    dtype, values, fill, attributes = case
    try:
        expected, read = oracle(dtype, values, fill, attributes)
    except NotDecodedError:
        decode = cf.decoder(dtype, attributes)
        assert decode is None or decode(values).shape == values.shape
        return
    decode = cf.decoder(dtype, read)
    if dtype == "S1" and fill is None:
        assert decode is None  # biggus does not take unwritten characters for missing values
        return
    assert_equal(decode, values, expected, read)


@SLOW_START
@given(variables(), st.booleans())
def test_matches_netcdf4_with_masking_or_scaling_alone(case, mask):
    dtype, values, fill, attributes = case
    if dtype == "S1":
        return
    try:
        expected, read = oracle(dtype, values, fill, attributes, mask=mask, scale=not mask)
    except NotDecodedError:
        return
    expected = np.ma.asarray(expected)
    assert_equal(cf.decoder(dtype, read, mask=mask, scale=not mask), values, expected, read)


@SLOW_START
@given(variables(), st.data())
def test_decoding_is_elementwise_and_does_not_change_its_input(case, data):
    dtype, values, fill, attributes = case
    if fill is not None:
        attributes = {**attributes, "_FillValue": fill}
    decode = cf.decoder(dtype, attributes)
    if decode is None:
        return
    before = values.tobytes()
    values.flags.writeable = False
    whole = decode(values)
    assert values.tobytes() == before
    at = data.draw(st.integers(0, len(values)))
    parts = np.ma.concatenate([decode(values[:at]), decode(values[at:])])
    np.testing.assert_array_equal(np.ma.getmaskarray(parts), np.ma.getmaskarray(whole))
    assert parts.compressed().tobytes() == np.ma.asarray(whole).compressed().tobytes()
    alone = decode(values[0].reshape(()))
    assert alone.shape == ()
    assert alone.dtype == decode.dtype
    assert isinstance(alone, np.ma.MaskedArray) == decode.masked


@SLOW_START
@given(variables())
def test_decoders_pickle_and_compare_by_value(case):
    dtype, values, fill, attributes = case
    if fill is not None:
        attributes = {**attributes, "_FillValue": fill}
    one, two = cf.decoder(dtype, attributes), cf.decoder(dtype, dict(reversed(attributes.items())))
    sent = pickle.loads(pickle.dumps(one))
    assert one == two == sent
    assert hash(one) == hash(two) == hash(sent)
    if one is not None:
        got, again = one(values), sent(values)
        np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(again))
        assert (
            np.ma.asarray(got).compressed().tobytes() == np.ma.asarray(again).compressed().tobytes()
        )


def test_decoders_of_different_attributes_differ():
    attributes = [
        {},
        {"_FillValue": np.int16(1)},
        {"missing_value": np.array([1, 2], "i2")},
        {"valid_min": np.int16(1)},
        {"valid_max": np.int16(1)},
        {"scale_factor": 2.0},
        {"add_offset": 2.0},
        {"scale_factor": np.float32(2.0)},
        {"_Unsigned": "true"},
    ]
    decoders = {cf.decoder("i2", each) for each in attributes}
    assert len(decoders) == len(attributes)
    assert cf.decoder("i2", {}) != "something else"
    assert cf.decoder("f4", {"missing_value": np.nan}) == cf.decoder(
        "f4", {"missing_value": np.nan}
    )


@pytest.mark.parametrize("dtype", ["O", "U5", "S5", "M8[s]", "?", [("a", "i2")]])
def test_dtypes_that_are_never_decoded(dtype):
    assert cf.decoder(dtype, {"_FillValue": 1, "scale_factor": 2.0, "_Unsigned": "true"}) is None


def test_no_fill_attribute_disables_default_fills_of_bytes():
    assert cf.decoder("u1", {"_NoFill": "true"}) is None
    decode = cf.decoder("u1", {})
    assert decode(np.array([254, 255], "u1")).mask.tolist() == [False, True]
    # Wider types keep their default fill value, as in netCDF4-python.
    assert cf.decoder("i2", {"_NoFill": "true"}).missing == (-32767,)


def test_default_fills_can_be_disabled():
    assert cf.decoder("i2", {}, default_fills=False) is None
    assert not cf.decoder("i2", {"scale_factor": 0.5}, default_fills=False).masked
    decode = cf.decoder("i2", {"valid_min": 0}, default_fills=False)
    assert decode.missing == ()
    assert decode.fill_value == np.int16(-32767)  # NumPy's own, 999999, does not fit
    assert decode(np.array([-1, 2], "i2")).filled().tolist() == [-32767, 2]
    assert cf.decoder("f4", {"_FillValue": -9.0}, default_fills=False).missing == (-9,)


@pytest.mark.parametrize("dtype", [">i2", ">f4", ">f8", ">u4"])
def test_byte_order(dtype):
    fill = np.array(7, dtype)[()]
    values = np.array([1, 7, 3], dtype)
    plain = cf.decoder(dtype, {"_FillValue": fill})
    assert plain.dtype == np.dtype(dtype)
    assert plain(values).dtype.str == dtype
    assert plain(values).mask.tolist() == [False, True, False]
    scaled = cf.decoder(dtype, {"_FillValue": fill, "scale_factor": np.float32(0.5)})
    assert scaled(values).dtype.isnative
    assert scaled(values).tolist() == [0.5, None, 1.5]


def test_unsigned_in_foreign_byte_order():
    decode = cf.decoder(">i2", {"_Unsigned": "true", "_FillValue": np.int16(-2)})
    got = decode(np.array([-1, -2, 3], ">i2"))
    assert got.dtype.str == ">u2"
    assert got.tolist() == [65535, None, 3]
    assert got.fill_value == 65534


def test_attributes_as_lists_and_one_element_arrays():
    # Python numbers, lists and arrays of one element, as JSON and HDF5 have them.
    decode = cf.decoder(
        "i2", {"_FillValue": [-1], "scale_factor": np.array([0.5]), "add_offset": 1}
    )
    got = decode(np.array([-1, 4], "i2"))
    assert got.dtype == np.float64
    assert got.tolist() == [None, 3.0]
    assert cf.decoder("f2", {}) is None
    assert cf.decoder("f2", {"_FillValue": float("nan")})(np.array([np.nan], "f2")).mask.all()


def test_nonsensical_attributes_are_ignored():
    nonsense = {
        "_FillValue": "x",
        "missing_value": object(),
        "valid_range": {},
        "valid_min": [[1, 2], [3]],
        "valid_max": 1j,
        "scale_factor": "2",
        "add_offset": None,
        "_Unsigned": 1,
    }
    assert cf.decoder("i2", nonsense) == cf.decoder("i2", {})


def test_decoding_without_computation_does_not_copy():
    values = np.arange(5, dtype="i2")
    assert np.shares_memory(cf.decoder("i2", {})(values), values)
    assert np.shares_memory(cf.decoder("i2", {"_Unsigned": "true"})(values), values)


@SLOW_START
@given(variables(), st.integers(0, 2**8 - 1))
def test_masked_input_stays_masked(case, bits):
    dtype, values, fill, attributes = case
    if fill is not None:
        attributes = {**attributes, "_FillValue": fill}
    decode = cf.decoder(dtype, attributes)
    if decode is None:
        return
    known = np.array([bits >> place & 1 for place in range(len(values))], bool)
    given_values = np.ma.MaskedArray(values, mask=known)
    got, alone = decode(given_values), np.ma.asarray(decode(values))
    assert isinstance(got, np.ma.MaskedArray)
    assert got.dtype == decode.dtype
    expected = known | np.ma.getmaskarray(alone)
    np.testing.assert_array_equal(np.ma.getmaskarray(got), expected)
    assert got.data[~expected].tobytes() == alone.data[~expected].tobytes()
    np.testing.assert_array_equal(np.ma.getmaskarray(given_values), known)


class MaskedAndPacked(Source):
    """A source with some masked values and packed values."""

    shape, dtype, name, masked, conventions = (4,), np.dtype("i2"), "both", True, "CF"

    def __init__(self, attributes):
        self.attributes = attributes

    def __getitem__(self, box):
        return np.ma.MaskedArray(np.array([1, 2, -9, 4], "i2"), mask=[0, 1, 0, 0])[box]


@pytest.mark.parametrize("attributes", [{"scale_factor": 0.5}, {"_FillValue": np.int16(-9)}, {}])
@pytest.mark.parametrize("conventions", ["CF", "CF-Zarr", "CF-HDF5"])
def test_masked_and_packed_source_keeps_its_mask(attributes, conventions):
    source = MaskedAndPacked(attributes)
    source.conventions = conventions
    lazy = biggus.ArrayAdapter(source)
    expected = np.array([1, 2, -9, 4]) * attributes.get("scale_factor", 1)
    mask = [False, True, "_FillValue" in attributes, False]
    assert lazy.masked
    got = lazy.masked_array()
    assert got.dtype == lazy.dtype
    np.testing.assert_array_equal(np.ma.getmaskarray(got), mask)
    np.testing.assert_array_equal(got.compressed(), expected[~np.array(mask)])
    assert lazy.sum().masked_array() == expected[~np.array(mask)].sum()
    assert lazy[1:3].masked_array().tolist() == [None, None if mask[2] else expected[2]]
