"""Descriptions round-trip, and sources made from them read from a cache alone."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biggus.cache import Cache
from biggus.errors import OfflineError
from biggus.options import set_options
from biggus.sources.base import Source
from biggus.sources.description import (
    DescribedSource,
    decode_dtype,
    decode_value,
    describe,
    encode_dtype,
    encode_value,
)


def through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


class CustomSource(Source):
    """A source with the attributes given as keywords."""

    def __init__(self, values, **attributes):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.token = "custom"
        self.now = b"\x00state"
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getitem__(self, box):
        return self.values[box]

    def state(self):
        return self.now


@pytest.mark.parametrize(
    "dtype",
    [
        "?", "i1", ">i2", "<u4", ">f2", "<f8", ">c16", "S5", ">U3", "V7", "<M8[ns]", ">m8[25s]",
        "M8",         [("a", ">i2"), ("b", "S3", (2, 2)), ("c", [("d", "f4"), ("e", "<M8[D]")])],
        {"names": ["x", "y"], "formats": ["i1", "f8"], "offsets": [9, 0], "itemsize": 20},
        {"names": ["x", "y"], "formats": ["i4", "i2"], "offsets": [0, 2]},
        np.dtype([("a", "i1"), ("b", "f8")], align=True), object, np.dtypes.StringDType(),
        (np.void, 0), "S0",
    ],
)  # fmt: skip
def test_dtypes_round_trip(dtype):
    dtype = np.dtype(dtype)
    back = decode_dtype(through_json(encode_dtype(dtype)))
    assert back == dtype
    assert back.str == dtype.str
    assert back.isalignedstruct == dtype.isalignedstruct


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def alike(a, b):
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            alike(x, y)
    elif isinstance(a, dict):
        alike(list(a.items()), list(b.items()))
    elif isinstance(a, float):
        assert a == b or (math.isnan(a) and math.isnan(b))
    elif isinstance(a, complex):
        alike([a.real, a.imag], [b.real, b.imag])
    else:
        assert a == b


@given(plain)
def test_plain_values_round_trip(value):
    alike(decode_value(through_json(encode_value(value))), value)


@given(hnp.arrays(hnp.scalar_dtypes() | hnp.nested_dtypes(max_itemsize=100),
                  hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)))  # fmt: skip
def test_arrays_and_scalars_round_trip(array):
    for value in (array, array[()] if array.ndim == 0 else array):
        back = decode_value(through_json(encode_value(value)))
        assert type(back) is type(value)
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        if not value.dtype.hasobject:
            assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize("dtype", ["i2", ">i2", "f4", "u1", "f8", "i8"])
def test_scalars_keep_their_dtype(dtype):
    value = np.array(3, dtype)[()]
    back = decode_value(through_json(encode_value({"scale_factor": value})))["scale_factor"]
    assert isinstance(back, np.generic)
    assert back.dtype == value.dtype
    assert back == value


def test_object_arrays_masked_arrays_and_strings_round_trip():
    for value in (np.array(["a", "bcd", None], object), np.array(["x"], np.dtypes.StringDType())):
        back = decode_value(through_json(encode_value(value)))
        assert back.dtype == value.dtype
        assert back.tolist() == value.tolist()
    masked = np.ma.MaskedArray([1, 2], mask=[True, False], dtype="i2")
    back = decode_value(through_json(encode_value(masked)))
    assert back.dtype == "i2"
    assert back.tolist() == [None, 2]
    assert type(decode_value(through_json(encode_value(np.str_("s"))))) is np.str_


def test_unsupported_values_raise_but_keep_other_attributes():
    with pytest.raises(TypeError, match="set cannot"):
        encode_value({"a": {1, 2}})
    with pytest.raises(ValueError, match="unknown"):
        decode_value({"$other": 1})
    described = describe(CustomSource(np.zeros(3), attributes={"odd": {1}, "units": "K"}))
    assert DescribedSource(through_json(described)).attributes == {"units": "K"}


def test_described_source_has_the_same_attributes():
    source = CustomSource(
        np.zeros((4, 6), ">i2"), chunks=(2, (1, 5)), name="somewhere/x", masked=True,
        fill_value=np.int16(-9), dims=("y", "x"), conventions="CF", remote=True,
        attributes={"scale_factor": np.float32(0.1), "units": "K",
                    "flags": np.arange(3, dtype="u1")},
    )  # fmt: skip
    described = through_json(describe(source, location="somewhere", options={"zoom": 9}))
    assert described["location"] == "somewhere"
    assert decode_value(described["options"]) == {"zoom": 9}
    gone = pickle.loads(pickle.dumps(DescribedSource(described)))
    for name in ("shape", "dtype", "chunks", "name", "token", "masked", "dims", "conventions",
                 "remote", "fill_value"):  # fmt: skip
        assert getattr(gone, name) == getattr(source, name)
    assert gone.fill_value.dtype == np.int16
    assert gone.attributes["scale_factor"].dtype == np.float32
    assert gone.attributes["flags"].dtype == np.uint8
    assert gone.state() == gone.validator(()) == b"\x00state"
    assert through_json(describe(gone)) == through_json(describe(source))


def test_described_source_without_chunks_dims_or_state():
    gone = DescribedSource(through_json(describe(CustomSource(np.array(1.5), now=None))))
    assert gone.shape == ()
    assert gone.chunks is gone.dims is gone.fill_value is gone.state() is None


def test_reading_a_described_source_raises_offline_error():
    gone = DescribedSource(describe(CustomSource(np.zeros(3), name="somewhere/x")))
    box = (slice(0, 2, 1),)
    for read in (gone.__getitem__, gone.fetch):
        with pytest.raises(OfflineError) as caught:
            read(box)
        assert str(caught.value) == (
            "cannot read somewhere/x [0:2]: its source is gone and this chunk is not in the cache"
        )


def test_described_source_validates_only_its_own_state():
    gone = DescribedSource(describe(CustomSource(np.zeros(3))))
    assert gone.revalidate((), b"\x00state") == b"\x00state"
    assert gone.revalidate((), b"other") is None
    by_chunk = DescribedSource(describe(CustomSource(np.zeros(3), now=None)))
    assert by_chunk.revalidate((), b"anything") == b"anything"


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("remote", [False, True])
def test_cache_serves_a_described_source(tmp_path, offline, remote):
    values = np.ma.MaskedArray(np.arange(40.0).reshape(4, 10), mask=np.eye(4, 10, dtype=bool))
    source = CustomSource(values, chunks=(2, 5), masked=True, remote=remote, fill_value=-1.0)
    cache = Cache(tmp_path / "c")
    cached = cache.wrap(source)
    top = slice(0, 2, 1), slice(0, 10, 1)
    cached[top]
    cache.remember("it", describe(cached))

    again = Cache(tmp_path / "c")
    gone = again.wrap(DescribedSource(again.recall("it")))
    with set_options(offline=offline):
        found = gone[top]
        with pytest.raises(OfflineError, match="not in the cache"):
            gone[slice(0, 4, 1), slice(0, 10, 1)]
    assert found.tolist() == values[:2].tolist()
    assert found.fill_value == -1.0
