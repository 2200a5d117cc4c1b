"""Values, metadata and errors of Zarr stores on disk; the oracle is zarr-python itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from biggus.backends import files
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.errors import BiggusError, GoneError, OpenError, SourceError, VariableError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

BACKEND = ZarrBackend()
SHAPE = (7, 11)


def open_zarr(path, variable="/", **options):
    return BACKEND.open(Location(path), variable, **options)


def create(path, data, **kwargs):
    """Write an array the zarr way; what it warns of concerns the writer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zarr.create_array(path, data=data, **kwargs)


def sample(dtype, shape=SHAPE):
    """Values of all kinds in an array of that dtype."""
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


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@st.composite
def boxes(draw, shape):
    box = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        box.append(slice(start, draw(st.integers(start + 1, n)), draw(st.integers(1, n))))
    return tuple(box)


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
def test_codecs_that_zarr_warns_of(tmp_path, shards):
    from zarr.codecs import numcodecs as wrapped

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codec = wrapped.Zlib(level=1)
    data = np.arange(77.0).reshape(SHAPE)
    create(tmp_path / "a.zarr", data, chunks=(3, 4), shards=shards, compressors=codec)
    assert_same(read(open_zarr(tmp_path / "a.zarr"), whole(SHAPE)), data)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", ["f4", "M8[s]", "S3", "i8", "?"])
def test_no_axes(tmp_path, zarr_format, dtype):
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
        return
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
def test_groups_nest(tmp_path, zarr_format, consolidated):
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
    # Of an array with that mark, as xarray sets it, the fill value means missing values.
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


def test_claims(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"PKnot a zip")
    (tmp_path / "text").write_bytes(b"hello")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for name in ("folder", "file", "text", "other.zip", "missing.zarr"):
        assert BACKEND.claims(Location(tmp_path / name)) == BACKEND.UNCLAIMED
    for url in (
        "https://host/a/b.zarr",
        "https://host/b.zarr/?key=1",
        "http://host/b.ZARR/group",
        "s3://bucket/b.zarr",
        "gs://bucket/b.zarr",
        "memory://b.zarr",
    ):
        assert BACKEND.claims(Location(url)) == BACKEND.BY_SUFFIX, url
    for url in (
        "https://host/{z}/{x}/{y}.zarr",
        "https://host/{q}.zarr",
        "https://host/b.nc",
        "https://host.zarr/b",
        "ftp://host/b.zarr",
    ):
        assert BACKEND.claims(Location(url)) == BACKEND.UNCLAIMED, url


def test_options_that_are_none(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    for options in ({"zoom": 3}, {"zarr_format": 4}, {"timeout": 3}):
        with pytest.raises(TypeError):
            open_zarr(tmp_path / "a.zarr", **options)


# Errors -------------------------------------------------------------------------------


def test_what_is_no_store(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_bytes(b"hello")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + b"zarr.json" * 10)
    for name, error in [
        ("missing", GoneError),
        ("folder", OpenError),
        ("text", OpenError),
        ("cut.zip", OpenError),
    ]:
        location = Location(tmp_path / name)
        for action in (lambda at: BACKEND.open(at, "a"), BACKEND.variables):
            with pytest.raises(error, match=name) as caught:
                action(location)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b'{"node_type": "array"}',
        b'{"zarr_format": 3, "node_type": "array", "shape": [3]}',
        b'\xff\xfe{"zarr_format": 3}',
    ],
)
def test_garbage_metadata(tmp_path, document):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    (tmp_path / "a.zarr" / "zarr.json").write_bytes(document)
    with pytest.raises(OpenError, match=r"a\.zarr") as caught:
        open_zarr(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", "many"),
        ("shape", [-3]),
        ("codecs", []),
        ("codecs", [{}]),
        ("codecs", None),
        ("chunk_grid", {"name": "rectilinear", "configuration": {}}),
        ("data_type", "float1"),
        ("dimension_names", 7),
        ("fill_value", "x"),
    ],
)
def test_nonsense_in_metadata(tmp_path, field, value):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3.0))
    document = tmp_path / "a.zarr" / "zarr.json"
    document.write_text(json.dumps({**json.loads(document.read_text()), field: value}))
    with pytest.raises(OpenError, match=r"a\.zarr") as caught:
        open_zarr(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3.0), zarr_format=2)
    document = tmp_path / "a.zarr" / ".zarray"
    fields = json.loads(document.read_text())
    fields.update(dtype="|O", fill_value=0, filters=[{"id": "pickle", "protocol": 5}])
    document.write_text(json.dumps(fields))
    with pytest.raises(OpenError, match="pickle"):
        open_zarr(tmp_path / "a.zarr")


def test_links_that_lead_round_in_circles(tmp_path):
    root = zarr.create_group(tmp_path / "s.zarr")
    root.create_array("g/a", data=np.arange(3))
    (tmp_path / "s.zarr/g/up").symlink_to(tmp_path / "s.zarr")
    (tmp_path / "s.zarr/g/here").symlink_to(tmp_path / "s.zarr/g")
    names = BACKEND.variables(Location(tmp_path / "s.zarr"))
    assert "g/a" in names


def test_codecs_after_a_shard(tmp_path):
    """zarr warns of them, as no part of such a shard can be read alone."""
    codec = zarr.codecs.ShardingCodec(chunk_shape=(5,))
    data = np.arange(40.0)
    create(
        tmp_path / "a.zarr",
        data,
        chunks=(20,),
        serializer=codec,
        compressors=zarr.codecs.GzipCodec(),
    )
    source = open_zarr(tmp_path / "a.zarr")
    assert_same(read(source, (slice(3, 30, 1),)), data[3:30])
    assert_same(read(source, (slice(3, 4, 1),)), data[3:4])


def test_unknown_codec(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    document = tmp_path / "a.zarr" / "zarr.json"
    document.write_text(document.read_text().replace("zstd", "nonesuch"))
    with pytest.raises(OpenError, match="nonesuch"):
        open_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_deleted_stores_are_errors(tmp_path, zarr_format):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,), zarr_format=zarr_format)
    source = open_zarr(path)
    read(source, whole((6,)))
    document = path / source.document.keys[0]
    kept = document.read_bytes()
    document.unlink()
    with pytest.raises(SourceError, match="gone") as caught:
        read(source, (slice(0, 2, 1),))
    assert "a.zarr" in str(caught.value)
    assert "[0:2]" in str(caught.value)
    assert source.validator(whole((6,))) is None
    document.write_bytes(kept)
    assert read(source, whole((6,))).tolist() == [0, 1, 2, 3, 4, 5]
    shutil.rmtree(path)
    with pytest.raises(SourceError, match="gone"):
        read(source, whole((6,)))
    with pytest.raises(GoneError):
        open_zarr(path)


def chunk_file(path, zarr_format, *index):
    if zarr_format == 2:
        return path / ".".join(map(str, index))
    return path.joinpath("c", *map(str, index))


DAMAGE = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "one byte short": lambda raw: raw[:-1],
    "empty": lambda raw: b"",
    "garbage": lambda raw: bytes(reversed(raw)),
    "page": lambda raw: b"<!doctype html><html><body>404 not found</body></html>",
}


def _named(item):
    """Name a keyword for a test's id: codecs call themselves otherwise in every process."""
    name, value = item
    plain = value is None or isinstance(value, tuple)
    return f"{name}={value if plain else type(value).__name__}"


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("zarr_format", "kwargs"),
    [
        (2, {"compressors": numcodecs.Zlib()}),
        (2, {"compressors": numcodecs.Blosc()}),
        (2, {"compressors": numcodecs.LZ4()}),
        (2, {"compressors": numcodecs.LZMA()}),
        (2, {"compressors": numcodecs.BZ2()}),
        (2, {"compressors": numcodecs.Zstd(), "filters": numcodecs.Delta("f8")}),
        (2, {"compressors": None, "filters": numcodecs.Fletcher32()}),
        (2, {"compressors": None}),
        (3, {"compressors": None}),
        (3, {"compressors": zarr.codecs.GzipCodec()}),
        (3, {"compressors": zarr.codecs.ZstdCodec()}),
        (3, {"compressors": zarr.codecs.Crc32cCodec()}),
        (3, {"compressors": zarr.codecs.BloscCodec()}),
        (3, {"shards": (60, 80)}),
        (3, {"shards": (60, 80), "compressors": zarr.codecs.BloscCodec()}),
        (3, {"shards": (60, 80), "compressors": None}),
    ],
    ids=lambda value: (
        str(value) if isinstance(value, int) else "-".join(map(_named, value.items()))
    ),
)
def test_damaged_chunks_are_errors(tmp_path, zarr_format, kwargs, damage):
    path = tmp_path / "a.zarr"
    data = np.random.default_rng(0).normal(size=(120, 80))
    zarr.create_array(path, data=data, chunks=(30, 40), zarr_format=zarr_format, **kwargs)
    source = open_zarr(path)
    expected = zarr.open_array(path, mode="r")[:]
    victim = chunk_file(path, zarr_format, 0, 0)
    raw = victim.read_bytes()
    if damage == "garbage" and kwargs == {"compressors": None}:
        pytest.skip("raw bytes of the right number are not to be told from values")
    victim.write_bytes(DAMAGE[damage](raw))
    # Some inner chunk of a shard is hit, and the whole of any other chunk.
    box = whole((60, 80))
    with pytest.raises(SourceError, match=r"a\.zarr / \[0:60, 0:80\]"):
        read(source, box)
    untouched = (slice(60, 120, 1), slice(0, 80, 1))
    assert_same(read(source, untouched), expected[60:])


def test_a_shard_that_was_cut_is_an_error_for_single_chunks_too(tmp_path):
    # The index is at the start, and sound: only the length of a chunk tells.
    path = tmp_path / "a.zarr"
    codec = zarr.codecs.ShardingCodec(
        chunk_shape=(10,), codecs=[zarr.codecs.BytesCodec()], index_location="start"
    )
    data = np.arange(40.0)
    zarr.create_array(path, data=data, chunks=(40,), serializer=codec, compressors=None)
    source = open_zarr(path)
    victim = path / "c" / "0"
    os.truncate(victim, victim.stat().st_size - 160)
    assert_same(read(source, (slice(0, 10, 1),)), data[:10])
    for start in (20, 30):
        with pytest.raises(SourceError, match="cut short"):
            read(source, (slice(start, start + 10, 1),))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_permission_is_an_error(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    (path / "c" / "0").chmod(0)
    with pytest.raises(SourceError, match=r"[Pp]ermission"):
        read(source, whole((6,)))


def test_links_to_nowhere_are_errors(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    chunk = path / "c" / "1"
    chunk.unlink()
    chunk.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="link"):
        read(source, whole((6,)))


def test_a_replaced_array_is_an_error(tmp_path):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    array.attrs["units"] = "K"
    assert read(source, whole((6,))).tolist() == [0, 1, 2, 3, 4, 5]
    zarr.create_array(path, data=np.arange(6) + 0.5, chunks=(2,), overwrite=True)
    with pytest.raises(SourceError, match="replaced"):
        read(source, whole((6,)))


# Validators -----------------------------------------------------------------------------


@pytest.fixture
def settled(monkeypatch):
    """Take files as settled at once, so that no test has to wait."""
    monkeypatch.setattr(files, "SETTLED_SECONDS", -1.0)


@pytest.mark.parametrize("shards", [None, (4,)])
def test_a_rewritten_chunk_changes_its_validator_alone(tmp_path, settled, shards):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(12,), dtype="i4", chunks=(2,), shards=shards)
    array[:8] = np.arange(1, 9)
    source = open_zarr(path)
    parts = [(slice(i, i + 2, 1),) for i in range(0, 12, 2)]
    before = [source.validator(part) for part in parts]
    assert None not in before
    assert before == [source.validator(part) for part in parts]
    array[2:4] = [-1, -2]
    array[10:12] = 7
    after = [source.validator(part) for part in parts]
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == ([1, 5] if shards is None else [0, 1, 4, 5])
    both = (slice(0, 12, 1),)
    assert source.fetch(both)[1] == source.validator(both) is not None
    array.attrs["units"] = "K"
    assert all(a != source.validator(part) for a, part in zip(after, parts, strict=True))


def test_what_has_just_changed_has_no_validator(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(4), chunks=(2,))
    assert open_zarr(path).validator(whole((4,))) is None


def test_a_zip_has_one_validator(tmp_path, settled):
    path = make_zip(tmp_path, np.arange(4))
    source = open_zarr(path, "a")
    before = source.validator((slice(0, 1, 1),))
    assert before is not None
    assert before == source.validator((slice(3, 4, 1),))
    make_zip(tmp_path, np.arange(4) + 1)
    assert source.validator((slice(0, 1, 1),)) != before
    assert read(source, whole((4,))).tolist() == [1, 2, 3, 4]


# Zip files ----------------------------------------------------------------------------


def make_zip(folder, data, compression=zipfile.ZIP_STORED, name="a.zarr.zip", **kwargs):
    path = folder / name
    path.unlink(missing_ok=True)
    with zarr.storage.ZipStore(path, mode="w", compression=compression) as store:
        create_in = zarr.create_group(store)
        create_in.create_array("a", data=data, **kwargs)
    return path


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
)
@pytest.mark.parametrize("shards", [None, (50, 20)])
def test_zip_from_eight_threads(tmp_path, compression, shards):
    data = np.random.default_rng(1).normal(size=(200, 20))
    path = make_zip(tmp_path, data, compression, "odd name", chunks=(10, 10), shards=shards)
    assert BACKEND.claims(Location(path)) == BACKEND.BY_CONTENT
    assert BACKEND.variables(Location(path)) == ("a",)
    source = open_zarr(path, "a")
    parts = [(slice(i, i + 7, 1), slice(3, 17, 2)) for i in range(0, 190, 3)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: read(source, part), parts))
    for part, values in zip(parts, found, strict=True):
        assert_same(values, data[part])


def test_damaged_and_deleted_zips(tmp_path):
    data = np.random.default_rng(1).normal(size=1000)
    path = make_zip(tmp_path, data, chunks=(100,), compressors=None)
    source = open_zarr(path, "a")
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("a/c/3").header_offset + 200
    path.write_bytes(raw[:at] + b"!!!!" + raw[at + 4 :])
    assert_same(read(source, (slice(0, 100, 1),)), data[:100])
    with pytest.raises(SourceError, match="damaged at a/c/3"):
        read(source, whole((1000,)))
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(SourceError, match="damaged"):
        read(source, whole((1000,)))
    path.unlink()
    with pytest.raises(SourceError, match="gone"):
        read(source, whole((1000,)))
    with pytest.raises(GoneError):
        open_zarr(path, "a")


# Threads and processes ----------------------------------------------------------------


def test_eight_threads(tmp_path):
    data = np.random.default_rng(1).integers(0, 9, (64, 64))
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(8, 8))
    source = open_zarr(tmp_path / "a.zarr")
    barrier = threading.Barrier(8)

    def work(i):
        barrier.wait()
        return [read(source, (slice(j, j + 9, 1), slice(i, 64, 3))) for j in range(0, 48, 8)]

    with ThreadPoolExecutor(8) as pool:
        for i, results in enumerate(pool.map(work, range(8))):
            for j, values in zip(range(0, 48, 8), results, strict=True):
                assert_same(values, data[j : j + 9, i::3])


def test_pickles_by_location(tmp_path):
    create(tmp_path / "a.zarr", np.arange(10_000.0))
    source = open_zarr(tmp_path / "a.zarr")
    text = pickle.dumps(source)
    assert len(text) < 500
    again = pickle.loads(text)
    assert again.token == source.token
    assert_same(read(again, whole((10_000,))), np.arange(10_000.0))


def test_pickles_by_the_whole_path(tmp_path, monkeypatch):
    create(tmp_path / "a.zarr", np.arange(3))
    monkeypatch.chdir(tmp_path)
    text = pickle.dumps(open_zarr("a.zarr"))
    monkeypatch.chdir("/")
    assert read(pickle.loads(text), whole((3,))).tolist() == [0, 1, 2]


def _read_all(source):
    return read(source, whole(source.shape)).tolist()


def test_spawned_process(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    (tmp_path / "source.pickle").write_bytes(pickle.dumps(source))
    code = (
        "import pickle, sys; from biggus.sources.base import read, whole;"
        "s = pickle.load(open(sys.argv[1], 'rb')); print(read(s, whole(s.shape)).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "source.pickle")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[0, 1, 2, 3, 4, 5]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("zipped", [False, True])
def test_forked_process(tmp_path, zipped):
    path = tmp_path / "a.zarr"
    if zipped:
        path = make_zip(tmp_path, np.arange(6), chunks=(2,))
    else:
        zarr.create_group(path).create_array("a", data=np.arange(6), chunks=(2,))
    source = open_zarr(path, "a")
    assert _read_all(source) == [0, 1, 2, 3, 4, 5]
    assert read(source, (slice(0, 1, 1),)).tolist() == [0]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(_read_one_and_all, [(open_zarr, path), (open_zarr, path)])
        assert found.get(timeout=60) == [[[0], [0, 1, 2, 3, 4, 5]]] * 2
        # The child inherits what the parent has open, too.
        _inherited.append(source)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.map_async(_read_inherited, [0])
        assert found.get(timeout=60) == [[[0], [0, 1, 2, 3, 4, 5]]]
    assert _read_all(source) == [0, 1, 2, 3, 4, 5]
    _inherited.clear()


_inherited = []


def _read_one_and_all(how):
    source = how[0](how[1], "a")
    return [read(source, (slice(0, 1, 1),)).tolist(), _read_all(source)]


def _read_inherited(_):
    return [read(_inherited[0], (slice(0, 1, 1),)).tolist(), _read_all(_inherited[0])]


def test_inside_a_running_event_loop(tmp_path):
    import asyncio

    zarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(2,))
    source = open_zarr(tmp_path / "a.zarr")

    async def main():
        return read(source, (slice(0, 1, 1),)).tolist(), _read_all(source)

    assert asyncio.run(main()) == ([0], [0, 1, 2, 3, 4, 5])


# Adoption -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "memory", "zip"])
@pytest.mark.parametrize("shape", [(), (6,), (4, 5)])
def test_adopted_arrays(tmp_path, kind, shape):
    data = np.arange(int(np.prod(shape)), dtype="<i4").reshape(shape)
    store = tmp_path / "a.zarr"
    if kind == "memory":
        store = zarr.storage.MemoryStore()
    elif kind == "zip":
        path = make_zip(tmp_path, data, name="b.zip")
        store = zarr.storage.ZipStore(path, mode="r")
    if kind == "zip":
        array = zarr.open_array(store, path="a", mode="r")
    else:
        array = zarr.create_array(store, data=data, name="g/a", attributes={"units": "K"})
    source = BACKEND.adopt(array)
    assert source.shape == shape
    assert source.dtype == array.dtype
    values = read(source, whole(shape))
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, data)
    assert (source.token is None) == (kind == "memory")
    if kind != "memory":
        assert_same(read(pickle.loads(pickle.dumps(source)), whole(shape)), values)
    if kind != "zip":
        assert dict(source.attributes) == {"units": "K"}
    if kind == "zip":
        store.close()


def test_what_is_not_adopted(tmp_path):
    assert BACKEND.adopt(zarr.create_group(tmp_path / "g")) is None
    assert BACKEND.adopt(object()) is None


def test_an_adopted_array_sees_what_its_owner_writes():
    array = zarr.create_array({}, shape=(4,), dtype="i4", chunks=(2,))
    source = BACKEND.adopt(array)
    assert read(source, whole((4,))).tolist() == [0, 0, 0, 0]
    array[1:3] = 5
    assert read(source, whole((4,))).tolist() == [0, 5, 5, 0]
    assert source.validator(whole((4,))) is None


def test_errors_are_ours(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(2,))
    source = open_zarr(tmp_path / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(BiggusError) as caught:
        source[whole((6,))]
    assert pickle.loads(pickle.dumps(caught.value)).source == source.name
