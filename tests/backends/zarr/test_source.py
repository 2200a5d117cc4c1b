"""Values of local Zarr arrays of every dtype and codec, compared with zarr-python."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from zarr_samples import BACKEND, assert_same, create, open_zarr

from biggus.backends.location import Location
from biggus.errors import VariableError
from biggus.sources.base import read, whole
from biggus.testing.strategies import boxes

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

SHAPE = (7, 11)


def sample(dtype, shape=SHAPE):
    """Return an array of varied values of a dtype."""
    dtype = np.dtype(dtype)
    n = int(np.prod(shape))
    rng = np.random.default_rng(5)
    if dtype.kind == "U":
        values = np.array(["", "a", "äöü", "日本語", "plain"])[rng.integers(0, 5, n)]
    elif dtype.kind == "S":
        values = np.array([b"", b"a", b"xyz", b"12345"])[rng.integers(0, 4, n)]
    elif dtype.names:
        values = np.zeros(n, dtype)
        values["f0"] = rng.integers(0, 100, n)
        values["f1"] = rng.normal(size=n)
    elif dtype.kind == "V":
        values = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype)
    elif dtype.kind == "b":
        values = rng.integers(0, 2, n)
    elif dtype.kind in "Mm":
        values = rng.integers(-1000, 1000, n).astype("i8").view(dtype.newbyteorder("=")).copy()
        values[3] = "NaT"
    elif dtype.kind == "c":
        values = rng.normal(size=n) + 1j * rng.normal(size=n)
    elif dtype.kind == "f":
        values = rng.normal(size=n)
        values[:3] = np.nan, np.inf, -np.inf
    else:
        values = rng.integers(0, 100, n)
    return values.astype(dtype).reshape(shape)


NUMERIC = ["?", "i1", "u1", "<i2", ">i2", "<u4", ">i8", "<f2", ">f2", "<f4", ">f8", "<c8", ">c16"]
OTHERS = ["<M8[s]", ">M8[ns]", "<m8[ms]", "<U6", ">U6", "S5", "V3", [("f0", "<i4"), ("f1", "<f8")]]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", NUMERIC + OTHERS, ids=str)
def test_every_dtype(tmp_path, zarr_format, dtype):
    data = sample(dtype)
    create(tmp_path / "a.zarr", data, chunks=(3, 4), zarr_format=zarr_format)
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    source = open_zarr(tmp_path / "a.zarr")
    assert source.shape == SHAPE
    assert source.dtype == array.dtype
    assert source.chunks == (3, 4)
    assert_same(read(source, whole(SHAPE)), array[:])
    np.testing.assert_array_equal(read(source, whole(SHAPE)), data)
    box = (slice(1, 6, 2), slice(3, 4, 1))
    assert_same(read(source, box), array[box])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_variable_length_strings_are_str(tmp_path, zarr_format):
    text = np.array([["", "a"], ["äö", "long" * 50]], dtype=object)
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=(2, 2),
        chunks=(1, 2),
        dtype=str,
        zarr_format=zarr_format,
        fill_value="none",
    )
    array[:] = text
    source = open_zarr(tmp_path / "a.zarr")
    values = read(source, whole((2, 2)))
    assert source.dtype == values.dtype == np.dtype(object)
    assert all(type(value) is str for value in values.flat)
    assert values.tolist() == text.tolist()


def test_variable_length_bytes_are_bytes(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=(3,),
        chunks=(2,),
        dtype=zarr.dtype.VariableLengthBytes(),
        zarr_format=2,
    )
    array[:] = np.array([b"", b"\0x", b"abc"], dtype=object)
    values = read(open_zarr(tmp_path / "a.zarr"), whole((3,)))
    assert values.dtype == np.dtype(object)
    assert values.tolist() == [b"", b"\0x", b"abc"]


CODECS_3 = {
    "none": {"compressors": None},
    "gzip": {"compressors": zarr.codecs.GzipCodec()},
    "zstd+checksum": {"compressors": zarr.codecs.ZstdCodec(level=3, checksum=True)},
    "blosc": {"compressors": zarr.codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")},
    "crc32c": {"compressors": [zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()]},
    "transpose": {"filters": zarr.codecs.TransposeCodec(order=(1, 0))},
    "big endian": {"serializer": zarr.codecs.BytesCodec(endian="big")},
    "sharded": {"shards": (6, 8)},
    "sharded crc32c": {"shards": (6, 8), "compressors": zarr.codecs.Crc32cCodec()},
    "keys": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
}
CODECS_2 = {
    "none": {"compressors": None},
    "zlib": {"compressors": numcodecs.Zlib()},
    "blosc": {"compressors": numcodecs.Blosc(cname="zstd")},
    "lz4": {"compressors": numcodecs.LZ4()},
    "lzma": {"compressors": numcodecs.LZMA()},
    "bz2": {"compressors": numcodecs.BZ2()},
    "delta": {"filters": numcodecs.Delta("f8"), "compressors": numcodecs.Zstd()},
    "scale": {"filters": numcodecs.FixedScaleOffset(0, 100, "f8", "i4")},
    "shuffle": {"filters": numcodecs.Shuffle(8)},
    "fletcher32": {"filters": numcodecs.Fletcher32()},
    "F order": {"order": "F"},
    "nested keys": {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
}
WRITTEN = [(3, name) for name in CODECS_3] + [(2, name) for name in CODECS_2]


@pytest.mark.parametrize(("zarr_format", "name"), WRITTEN)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(box=boxes(SHAPE))
def test_boxes_over_codecs(tmp_path, zarr_format, name, box):
    path = tmp_path / "a.zarr"
    if not path.exists():
        kwargs = (CODECS_3 if zarr_format == 3 else CODECS_2)[name]
        data = np.arange(77, dtype="f8").reshape(SHAPE) / 4
        create(path, data, chunks=(3, 4), zarr_format=zarr_format, **kwargs)
    array = zarr.open_array(path, mode="r")
    source = open_zarr(path)
    values = read(source, box)
    assert_same(values, array[box])
    assert values.flags.owndata or values.base.flags.owndata
    values[...] = -1
    assert_same(read(source, box), array[box])


@pytest.mark.parametrize("shards", [None, (6, 8)])
def test_codecs_that_zarr_python_warns_of(tmp_path, shards):
    from zarr.codecs import numcodecs as wrapped

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codec = wrapped.Zlib(level=1)
    data = np.arange(77.0).reshape(SHAPE)
    create(tmp_path / "a.zarr", data, chunks=(3, 4), shards=shards, compressors=codec)
    assert_same(read(open_zarr(tmp_path / "a.zarr"), whole(SHAPE)), data)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", ["f4", "M8[s]", "S3", "i8", "?"])
def test_array_without_axes(tmp_path, zarr_format, dtype):
    data = sample(dtype, (4,))[3]
    create(tmp_path / "a.zarr", np.array(data), zarr_format=zarr_format)
    source = open_zarr(tmp_path / "a.zarr")
    values = read(source, ())
    assert isinstance(values, np.ndarray)
    assert values.shape == ()
    np.testing.assert_array_equal(values, data)


def test_string_without_axes(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(), dtype=str)
    array[...] = "word"
    values = read(open_zarr(tmp_path / "a.zarr"), ())
    assert (values.dtype, values.shape, values[()]) == (np.dtype(object), (), "word")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_axis_of_length_zero(tmp_path, zarr_format):
    zarr.create_array(
        tmp_path / "a.zarr", shape=(0, 5), chunks=(1, 5), dtype="i4", zarr_format=zarr_format
    )
    source = open_zarr(tmp_path / "a.zarr")
    assert source.shape == (0, 5)
    assert_same(source[slice(0, 0, 1), slice(0, 5, 1)], np.empty((0, 5), "i4"))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("fill", [-7.5, float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("sharded", [False, True])
def test_absent_chunks_are_the_fill_value(tmp_path, zarr_format, fill, sharded):
    if sharded and zarr_format == 2:
        pytest.skip("there are no shards in format 2")
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=SHAPE,
        chunks=(3, 4),
        shards=(6, 8) if sharded else None,
        dtype="f8",
        fill_value=fill,
        zarr_format=zarr_format,
    )
    array[0:2, 0:2] = 1.0
    source = open_zarr(tmp_path / "a.zarr")
    np.testing.assert_equal(source.fill_value, fill)
    assert_same(read(source, whole(SHAPE)), array[:])
    np.testing.assert_equal(read(source, whole(SHAPE))[6, 10], fill)


def test_no_fill_value_reads_as_zeros(tmp_path):
    zarr.create_array(
        tmp_path / "a.zarr", shape=(4,), chunks=(2,), dtype="i4", fill_value=None, zarr_format=2
    )
    source = open_zarr(tmp_path / "a.zarr")
    assert source.fill_value is None
    assert read(source, whole((4,))).tolist() == [0, 0, 0, 0]


# Names, attributes, claims ------------------------------------------------------------


@pytest.mark.parametrize("consolidated", [False, True])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_nested_groups(tmp_path, zarr_format, consolidated):
    path = tmp_path / "store"
    root = zarr.create_group(path, zarr_format=zarr_format)
    for i, name in enumerate(["t", "ocean/tos", "ocean/deep/so", "c"]):
        root.create_array(name, data=np.full((3,), i), chunks=(1,))
    root.create_group("empty")
    if consolidated:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(path)
    location = Location(path)
    assert BACKEND.claims(location) == BACKEND.BY_CONTENT
    assert BACKEND.variables(location) == ("c", "ocean/deep/so", "ocean/tos", "t")
    assert read(open_zarr(path, "ocean/deep/so"), whole((3,))).tolist() == [2, 2, 2]
    assert read(open_zarr(path, "/ocean/tos/"), whole((3,))).tolist() == [1, 1, 1]
    with pytest.raises(VariableError, match="ocean/tos") as caught:
        open_zarr(path, "ocean/sos")
    assert caught.value.available == ("c", "ocean/deep/so", "ocean/tos", "t")
    for variable in ("ocean", "/", "ocean/tos/c", "../store/t", "ocean//tos"):
        with pytest.raises(VariableError):
            open_zarr(path, variable)


def test_root_array(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    assert BACKEND.variables(Location(tmp_path / "a.zarr")) == ("/",)
    first, second = open_zarr(tmp_path / "a.zarr", "/"), open_zarr(tmp_path / "a.zarr", "")
    assert first.token == second.token


def test_attributes_and_dimensions(tmp_path):
    create(
        tmp_path / "three",
        np.zeros((2, 3)),
        attributes={"units": "K", "n": [1, 2]},
        dimension_names=("time", "x"),
    )
    source = open_zarr(tmp_path / "three")
    assert dict(source.attributes) == {"units": "K", "n": [1, 2]}
    assert source.dims == ("time", "x")
    create(
        tmp_path / "two",
        np.zeros((2, 3)),
        attributes={"units": "K", "_ARRAY_DIMENSIONS": ["time", "x"]},
        zarr_format=2,
    )
    source = open_zarr(tmp_path / "two")
    # _ARRAY_DIMENSIONS marks arrays of xarray, whose fill value means missing values.
    assert dict(source.attributes) == {"units": "K", "_FillValue": 0}
    assert source.dims == ("time", "x")
    create(tmp_path / "none", np.zeros((2, 3)))
    assert open_zarr(tmp_path / "none").dims is None


def test_both_formats_in_one_folder(tmp_path):
    create(tmp_path / "a", np.zeros(3), zarr_format=2)
    create(tmp_path / "b", np.ones(3), zarr_format=3)
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    default, two = open_zarr(tmp_path / "a"), open_zarr(tmp_path / "a", zarr_format=2)
    assert read(default, whole((3,))).tolist() == [1, 1, 1]
    assert read(two, whole((3,))).tolist() == [0, 0, 0]
    assert default.token != two.token
