"""Entries: encoding and decoding are exact, and damaged entries raise."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biggus.cache.entry import FORMAT, EntryError, decode, dtype_text, encode

KEY = bytes(range(20))

SCALARS = [
    "?", "i1", "u1", "<i2", ">i2", "<u4", ">u4", "<i8", ">i8", "<f2", ">f2", "<f4", ">f4", "<f8",
    ">f8", "<c8", ">c16", "<M8[ns]", ">M8[D]", "<m8[s]", "S5", "<U3", ">U3", "V7", "S0", "<U0",
]  # fmt: skip

dtypes = st.one_of(
    st.sampled_from(SCALARS).map(np.dtype),
    st.builds(
        lambda a, b, align: np.dtype([("a", a), ("b", b, (2,)), ("c", [("d", a)])], align=align),
        st.sampled_from(SCALARS[:-3]),
        st.sampled_from(SCALARS[:-3]),
        st.booleans(),
    ),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)


def entry_bytes(values, validator=b"v", key=KEY):
    return np.frombuffer(b"".join(encode(values, validator, key)), np.uint8).copy()


def same_bits(a, b):
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@given(dtypes, shapes, st.binary(max_size=40), st.data())
def test_values_of_any_dtype_round_trip(dtype, shape, validator, data):
    count = int(np.prod(shape)) * dtype.itemsize
    if "?" in repr(dtype) or dtype.kind in "?bV":
        raw = bytes(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    else:
        raw = data.draw(st.binary(min_size=count, max_size=count))
    values = np.ndarray(shape, dtype, bytearray(raw) or None)
    found = decode(entry_bytes(values, validator), KEY, dtype, shape)
    same_bits(found.values, values)
    assert found.validator == validator
    assert found.values.flags.writeable
    assert found.values.flags.c_contiguous


def fillable(dtype):
    # NumPy's own fill value for masked structures overflows in half floats.
    return dtype.names is None or "f2" not in repr(dtype)


@given(dtypes.filter(fillable), shapes, st.data())
def test_masks_round_trip(dtype, shape, data):
    zeros = np.ndarray(shape, dtype)
    zeros.reshape(-1).view("u1")[...] = 0
    raw = np.ma.make_mask_none(shape, dtype)
    flat = np.array(
        data.draw(st.lists(st.booleans(), min_size=raw.nbytes, max_size=raw.nbytes)), bool
    )
    mask = flat.view(raw.dtype).reshape(shape) if raw.nbytes else raw
    values = np.ma.MaskedArray(zeros, mask=mask)
    found = decode(entry_bytes(values), KEY, dtype, shape).values
    same_bits(found.data, values.data)
    assert np.ma.getmaskarray(found).tobytes() == np.ma.getmaskarray(values).tobytes()


def test_masked_array_without_a_mask_round_trips():
    found = decode(entry_bytes(np.ma.MaskedArray([1, 2])), KEY, np.dtype(int), (2,)).values
    assert isinstance(found, np.ma.MaskedArray)
    assert found.mask is np.ma.nomask


def test_nan_payloads_and_nat_round_trip():
    bits = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000001, 0x8000000000000000], np.uint64)
    found = decode(entry_bytes(bits.view("f8")), KEY, np.dtype("f8"), (3,)).values
    assert found.view(np.uint64).tolist() == bits.tolist()
    nat = np.array(["NaT", "2020-01-01"], "M8[ns]")
    same_bits(decode(entry_bytes(nat), KEY, nat.dtype, (2,)).values, nat)


def test_memory_order_does_not_matter():
    values = np.arange(24).reshape(2, 3, 4)
    for view in (values.T, values[::-1, :, ::2], np.asfortranarray(values)):
        same_bits(decode(entry_bytes(view), KEY, view.dtype, view.shape).values, view.copy("C"))


@given(st.integers(0, 10**9), st.integers(0, 7))
def test_any_flipped_bit_raises(position, bit):
    buffer = entry_bytes(
        np.ma.MaskedArray(np.arange(50.0), mask=np.arange(50) % 3 == 0), b"version"
    )
    buffer[position % len(buffer)] ^= 1 << bit
    with pytest.raises(EntryError):
        decode(buffer, KEY, np.dtype(float), (50,))


@given(st.integers(0, 10**9))
def test_truncated_entry_raises(length):
    buffer = entry_bytes(np.arange(20))
    with pytest.raises(EntryError):
        decode(buffer[: length % len(buffer)], KEY, np.dtype(int), (20,))


def test_trailing_bytes_raise():
    buffer = np.concatenate([entry_bytes(np.arange(20)), np.zeros(1, np.uint8)])
    with pytest.raises(EntryError):
        decode(buffer, KEY, np.dtype(int), (20,))


def test_entry_of_another_key_dtype_or_shape_raises():
    buffer = entry_bytes(np.arange(6))
    for key, dtype, shape in [
        (bytes(20), "i8", (6,)),
        (KEY, ">i8", (6,)),
        (KEY, "f8", (6,)),
        (KEY, "i8", (2, 3)),
    ]:
        with pytest.raises(EntryError):
            decode(buffer, key, np.dtype(dtype), shape)


@pytest.mark.parametrize("form", [FORMAT - 1, FORMAT + 1])
def test_other_format_is_named_in_the_error(form):
    buffer = entry_bytes(np.arange(6))
    buffer[6:8] = np.frombuffer(struct.pack("<H", form), np.uint8)
    with pytest.raises(EntryError, match=f"other format: {form}"):
        decode(buffer, KEY, np.dtype(int), (6,))


def test_bytes_of_an_entry_are_exactly_those_of_the_format():
    """Entries that are in caches already must stay readable."""
    golden = bytes.fromhex(
        """
        626967677573 0200 190ab0c4
        000102030405060708090a0b0c0d0e0f10111213 00 000000
        02000000 0a000000 0400000000000000 0000000000000000
        7631 223c6932222028322c29
        """
        + "00" * 56
        + "0100feff"
    )
    assert b"".join(encode(np.array([1, -2], "<i2"), b"v1", KEY)) == golden
    found = decode(np.frombuffer(golden, np.uint8), KEY, np.dtype("<i2"), (2,))
    assert found.values.tolist() == [1, -2]
    assert found.validator == b"v1"


def test_dtype_texts_differ_for_different_dtypes():
    different = [np.dtype(d) for d in SCALARS]
    different += [np.dtype([("a", "i4")]), np.dtype([("b", "i4")]), np.dtype([("a", ">i4")])]
    assert len({dtype_text(d) for d in different}) == len(different)
    noted = np.dtype("i4", metadata={"enum": {"a": 1}})
    assert dtype_text(noted) == dtype_text(np.dtype("i4"))
