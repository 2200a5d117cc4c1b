"""Local Zarr stores read without zarr-python, compared with zarr-python."""

from __future__ import annotations

import itertools
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from biggus.sources.base import read, whole
from biggus.testing.strategies import boxes

zarr = pytest.importorskip("zarr")
from zarr_direct import (
    CHUNKS,
    CNAMES,
    CODECS,
    COMPRESSORS_3,
    SHAPE,
    SHARDS,
    assert_same,
    open_direct,
    sample,
)
from zarr_samples import create

numcodecs = pytest.importorskip("numcodecs")
DTYPES = ["?", "i1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8", ">c8", "<M8[s]", "<U3", "S5", "V3"]
LAYOUTS_3 = {
    "chunks": {},
    "shards": {"shards": SHARDS},
    "transposed": {"filters": CODECS.TransposeCodec(order=(1, 0))},
    "transposed-shards": {"filters": CODECS.TransposeCodec(order=(1, 0)), "shards": SHARDS},
    "big": {"serializer": CODECS.BytesCodec(endian="big")},
}
FORMAT_3 = [
    *itertools.product(COMPRESSORS_3, ["chunks"], ["<f8"]),
    *itertools.product(["none", "zstd", "gzip-crc32c", "blosc-lz4-shuffle"], LAYOUTS_3, ["<i2"]),
    *itertools.product(["none", "crc32c-zstd"], ["chunks", "transposed-shards"], ["?"]),
]


@pytest.mark.parametrize(("compressor", "layout", "dtype"), FORMAT_3)
def test_format_3(tmp_path, compressor, layout, dtype):
    kwargs = {**LAYOUTS_3[layout], "compressors": COMPRESSORS_3[compressor]}
    create(tmp_path / "a.zarr", sample(dtype), chunks=CHUNKS, **kwargs)
    compare_with_zarr(tmp_path / "a.zarr")


COMPRESSORS_2 = {
    "none": None,
    "zlib": numcodecs.Zlib(),
    "gzip": numcodecs.GZip(),
    "zstd": numcodecs.Zstd(),
    "lz4": numcodecs.LZ4(),
    "bz2": numcodecs.BZ2(),
    "lzma": numcodecs.LZMA(),
    **{
        f"blosc-{cname}-{shuffle}": numcodecs.Blosc(cname, shuffle=shuffle)
        for cname, shuffle in itertools.product(CNAMES, (0, 1, 2))
    },
}
FILTERS_2 = {"none": None, "delta": numcodecs.Delta("<i4"), "shuffle": numcodecs.Shuffle(4)}
FORMAT_2 = [
    *itertools.product(COMPRESSORS_2, ["none"], ["."], ["C"]),
    *itertools.product(["none", "zlib", "blosc-lz4-1"], FILTERS_2, [".", "/"], ["C", "F"]),
]


@pytest.mark.parametrize(("compressor", "filters", "separator", "order"), dict.fromkeys(FORMAT_2))
def test_format_2(tmp_path, compressor, filters, separator, order):
    create(
        tmp_path / "a.zarr",
        sample("<i4"),
        chunks=CHUNKS,
        zarr_format=2,
        compressors=COMPRESSORS_2[compressor],
        filters=FILTERS_2[filters],
        order=order,
        chunk_key_encoding={"name": "v2", "separator": separator},
    )
    compare_with_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_with_absent_chunks(tmp_path, dtype, zarr_format, sharded):
    if sharded and zarr_format == 2:
        pytest.skip("there are no shards in format 2")
    if sharded and dtype == "V3":
        # Its cache key for shards contains the fill value.
        pytest.skip("zarr-python does not support shards of unhashable fill values")
    data = sample(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = zarr.create_array(
            tmp_path / "a.zarr",
            shape=SHAPE,
            chunks=CHUNKS,
            shards=SHARDS if sharded else None,
            dtype=data.dtype,
            fill_value=data[2, 2],
            zarr_format=zarr_format,
        )
        array[0:3, 4:8] = data[0:3, 4:8]
    compare_with_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_shard_indexes(tmp_path, location, checksum, endian):
    index = [CODECS.BytesCodec(endian=endian), *([CODECS.Crc32cCodec()] if checksum else [])]
    sharding = CODECS.ShardingCodec(
        chunk_shape=CHUNKS,
        codecs=[CODECS.BytesCodec(), CODECS.ZstdCodec()],
        index_codecs=index,
        index_location=location,
    )
    data = sample("<f4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = zarr.create(
            shape=SHAPE, chunks=SHARDS, dtype="f4", codecs=[sharding], store=tmp_path / "a.zarr"
        )
        array[:6, :4] = data[:6, :4]
    compare_with_zarr(tmp_path / "a.zarr")


@pytest.mark.parametrize("dtype", ["<f4", ">i4", "<M8[s]"])
def test_read_into_writes_the_box_only(tmp_path, dtype):
    data = sample(dtype)
    create(tmp_path / "a", data, chunks=CHUNKS, fill_value=np.zeros((), dtype)[()])
    (tmp_path / "a" / "c" / "1" / "1").unlink()
    source = open_direct(tmp_path / "a")
    assert source.reads_into
    surroundings = np.full((9, 13), np.ones((), source.dtype))
    for box in (whole(SHAPE), (slice(1, 7, 2), slice(3, 11, 1))):
        expected = read(source, box)
        out = surroundings[1 : 1 + expected.shape[0], 1 : 1 + expected.shape[1]]
        assert source.read_into(box, out)
        assert_same(out, expected)
    assert (surroundings[[0, -1]] == np.ones((), dtype)).all()
    assert (surroundings[:, [0, -1]] == np.ones((), dtype)).all()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_scalars_and_zip_members(tmp_path, zarr_format):
    for name, data in {"scalar": np.array(5, ">i4"), "table": sample(">i4")}.items():
        path = tmp_path / f"{name}.zarr"
        create(path, data, zarr_format=zarr_format, compressors=None)
        compare_with_zarr(path)
        zipped = tmp_path / f"{name}.zarr.zip"
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in path.rglob("*"):
                if file.is_file():
                    archive.write(file, file.relative_to(path).as_posix())
        assert_same(read(open_direct(zipped), whole(data.shape)), values_by_zarr(path))


def values_by_zarr(path):
    array = zarr.open_array(path, mode="r")
    # An array without axes gives a scalar, which has no byte order.
    return np.asarray(array[...], array.dtype)


def compare_with_zarr(path):
    array = zarr.open_array(path, mode="r")
    source = open_direct(path)
    shape = array.shape
    assert_same(read(source, whole(shape)), values_by_zarr(path))
    for box in BOXES if shape else ():
        assert_same(read(source, box), np.asarray(array[box]))


BOXES = [
    (slice(3, 6, 1), slice(4, 8, 1)),  # one chunk, whole
    (slice(6, 7, 1), slice(8, 11, 1)),  # a partial chunk at the edge
    (slice(4, 5, 1), slice(5, 7, 1)),
    (slice(0, 7, 5), slice(1, 11, 3)),
    (slice(2, 7, 2), slice(0, 11, 7)),
]


@st.composite
def stores(draw):
    """Draw shape, chunks, inner chunks and codecs of an array, and a box of it."""
    ndim = draw(st.integers(1, 3))
    lengths = st.integers(1, 9)
    shape = tuple(draw(lengths) for _ in range(ndim))
    chunks = tuple(draw(st.integers(1, 4)) for _ in range(ndim))
    kwargs = {"compressors": COMPRESSORS_3[draw(st.sampled_from(sorted(COMPRESSORS_3)))]}
    if draw(st.booleans()):
        kwargs["shards"] = tuple(n * draw(st.integers(1, 3)) for n in chunks)
    if draw(st.booleans()):
        order = draw(st.permutations(range(ndim)))
        kwargs["filters"] = CODECS.TransposeCodec(order=tuple(order))
    return shape, chunks, kwargs, draw(boxes(shape))


@settings(
    max_examples=2 * settings.default.max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=stores(), dtype=st.sampled_from(["<f8", "<i2", "?"]))
def test_any_box_of_any_store(tmp_path, drawn, dtype):
    shape, chunks, kwargs, box = drawn
    path = tmp_path / "a.zarr"
    create(path, sample(dtype, shape), chunks=chunks, overwrite=True, **kwargs)
    array = zarr.open_array(path, mode="r")
    source = open_direct(path)
    assert_same(read(source, box), array[box])
    assert source.peak_bytes(box) >= array[box].nbytes


@pytest.mark.parametrize("shape", [(40, 256, 256), (7, 1000, 1000)])
def test_large_uncompressed_chunk_is_read_in_parts(tmp_path, traced_peak, shape):
    data = np.arange(np.prod(shape), dtype="f4").reshape(shape)
    create(tmp_path / "a.zarr", data, chunks=shape, compressors=None)
    source = open_direct(tmp_path / "a.zarr")
    lengths = source.chunks[0]
    part = lengths if isinstance(lengths, int) else lengths[0]
    assert part < shape[0]
    assert source.chunks[1:] == shape[1:]
    box = (slice(part, 2 * part, 1), *whole(shape[1:]))
    expected = data[part : 2 * part]
    assert source.peak_bytes(box) <= 2.1 * expected.nbytes
    assert_same(read(source, box), expected)
    most = source.peak_bytes(box) + 250_000  # allow for the memory of threads
    assert traced_peak(lambda: read(source, box), most) <= most


@pytest.mark.parametrize("name", ["zstd", "blosc-lz4-shuffle", "gzip", "zstd-gzip"])
def test_peak_memory_is_within_peak_bytes(tmp_path, traced_peak, name):
    data = np.random.default_rng(0).normal(size=(512, 512))
    create(tmp_path / "a.zarr", data, chunks=(256, 256), compressors=COMPRESSORS_3[name])
    source = open_direct(tmp_path / "a.zarr")
    for box in (whole(data.shape), (slice(0, 9, 1), slice(0, 300, 1))):
        read(source, box)
        most = source.peak_bytes(box) + 50_000
        assert traced_peak(lambda box=box: read(source, box), most) <= most


def test_parts_end_at_chunk_boundaries(tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(20, 2**20), chunks=(7, 2**20), dtype="f4", compressors=None
    )
    array[:] = 1
    source = open_direct(tmp_path / "a.zarr")
    assert source.chunks == (1, 2**20)
    zarr.create_array(
        tmp_path / "b.zarr", shape=(3_000_000,), chunks=(1_000_003,), dtype="c16", compressors=None
    )
    (lengths,) = open_direct(tmp_path / "b.zarr").chunks
    edges = set(np.cumsum(lengths).tolist())
    assert {1_000_003, 2_000_006, 3_000_000} <= edges
    assert max(lengths) * 16 <= 2**22


@pytest.mark.parametrize("shards", [None, (100, 100)])
def test_concurrent_reads(tmp_path, shards):
    data = np.random.default_rng(0).normal(size=(200, 300))
    create(tmp_path / "a.zarr", data, chunks=(20, 50), shards=shards)
    source = open_direct(tmp_path / "a.zarr")
    parts = [(slice(i, i + 30, 1), slice(3 * i, 300, 7)) for i in range(0, 90, 3)]
    with ThreadPoolExecutor(8) as executor:
        for box, found in zip(
            parts, executor.map(lambda box: read(source, box), parts), strict=True
        ):
            assert_same(found, data[box])
