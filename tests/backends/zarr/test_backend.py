"""The Zarr backend: claims, options, and invalid, damaged and deleted stores."""

from __future__ import annotations

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from zarr_samples import BACKEND, assert_same, create, open_zarr

import biggus
from biggus.backends.location import Location
from biggus.errors import GoneError, OpenError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")


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


def test_unknown_options_raise(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    for options in ({"zoom": 3}, {"zarr_format": 4}, {"timeout": 3}):
        with pytest.raises(TypeError):
            open_zarr(tmp_path / "a.zarr", **options)


# Errors -------------------------------------------------------------------------------


def test_locations_without_a_store_raise(tmp_path):
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
def test_garbage_metadata_raises(tmp_path, document):
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
def test_nonsensical_metadata_raises(tmp_path, field, value):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3.0))
    document = tmp_path / "a.zarr" / "zarr.json"
    document.write_text(json.dumps({**json.loads(document.read_text()), field: value}))
    with pytest.raises(OpenError, match=r"a\.zarr") as caught:
        open_zarr(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)


def test_pickle_codec_raises(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3.0), zarr_format=2)
    document = tmp_path / "a.zarr" / ".zarray"
    fields = json.loads(document.read_text())
    fields.update(dtype="|O", fill_value=0, filters=[{"id": "pickle", "protocol": 5}])
    document.write_text(json.dumps(fields))
    with pytest.raises(OpenError, match="pickle"):
        open_zarr(tmp_path / "a.zarr")


def test_cyclic_links_are_listed_once(tmp_path):
    root = zarr.create_group(tmp_path / "s.zarr")
    root.create_array("g/a", data=np.arange(3))
    (tmp_path / "s.zarr/g/up").symlink_to(tmp_path / "s.zarr")
    (tmp_path / "s.zarr/g/here").symlink_to(tmp_path / "s.zarr/g")
    names = BACKEND.variables(Location(tmp_path / "s.zarr"))
    assert "g/a" in names


def test_codecs_after_a_shard(tmp_path):
    """Such shards can only be read as a whole; zarr-python warns of them."""
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


def test_unknown_codec_raises(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(3))
    document = tmp_path / "a.zarr" / "zarr.json"
    document.write_text(document.read_text().replace("zstd", "nonesuch"))
    with pytest.raises(OpenError, match="nonesuch"):
        open_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_deleted_store_raises(tmp_path, zarr_format):
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


def keyword_id(item):
    """Return a test id of a keyword argument: the repr of codecs differs in each process."""
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
        str(value) if isinstance(value, int) else "-".join(map(keyword_id, value.items()))
    ),
)
def test_damaged_chunk_raises(tmp_path, zarr_format, kwargs, damage):
    path = tmp_path / "a.zarr"
    data = np.random.default_rng(0).normal(size=(120, 80))
    zarr.create_array(path, data=data, chunks=(30, 40), zarr_format=zarr_format, **kwargs)
    source = open_zarr(path)
    expected = zarr.open_array(path, mode="r")[:]
    victim = chunk_file(path, zarr_format, 0, 0)
    raw = victim.read_bytes()
    if damage == "garbage" and kwargs == {"compressors": None}:
        pytest.skip("uncompressed garbage of the right length looks like values")
    victim.write_bytes(DAMAGE[damage](raw))
    # The damage affects an inner chunk of a shard, or the whole of a plain chunk.
    box = whole((60, 80))
    with pytest.raises(SourceError, match=r"a\.zarr::/ \[0:60, 0:80\]"):
        read(source, box)
    undamaged = (slice(60, 120, 1), slice(0, 80, 1))
    assert_same(read(source, undamaged), expected[60:])


def test_single_chunks_of_a_truncated_shard_raise(tmp_path):
    # The index at the start is intact: only the length of a chunk shows the damage.
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
def test_unreadable_chunk_raises(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    (path / "c" / "0").chmod(0)
    with pytest.raises(SourceError, match=r"[Pp]ermission"):
        read(source, whole((6,)))


def test_dangling_link_raises(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    chunk = path / "c" / "1"
    chunk.unlink()
    chunk.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="link"):
        read(source, whole((6,)))


@pytest.mark.parametrize("layout", [{}, {"shards": (14, 14)}, {"zarr_format": 2}])
@pytest.mark.parametrize("kept", [False, True])
def test_growing_array_keeps_its_shape_and_values(tmp_path, layout, kept):
    data = np.arange(20.0 * 30).reshape(20, 30)
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=data.shape, chunks=(7, 7), dtype="f8", **layout)
    array[...] = data
    cache = biggus.Cache(tmp_path / "cache") if kept else False
    earlier = [biggus.open(path, cache=cache), biggus.ArrayAdapter(array)]
    for lazy in earlier:
        assert_same(lazy.ndarray(), data)
    array.append(data + 1)
    array.append(array[...], axis=1)
    for lazy in earlier:
        assert_same(lazy.ndarray(), data)
        np.testing.assert_allclose(lazy.mean(axis=0).ndarray(), data.mean(axis=0))
    assert_same(biggus.open(path, cache=cache).ndarray(), array[...])
    array.resize((19, 60))
    for lazy in earlier:
        with pytest.raises(SourceError, match="cut short"):
            lazy.ndarray()


def test_replaced_array_raises(tmp_path):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    array.attrs["units"] = "K"
    assert read(source, whole((6,))).tolist() == [0, 1, 2, 3, 4, 5]
    zarr.create_array(path, data=np.arange(6) + 0.5, chunks=(2,), overwrite=True)
    with pytest.raises(SourceError, match="replaced"):
        read(source, whole((6,)))
