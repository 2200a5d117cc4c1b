"""Rectilinear chunk grids, compared with the written values, and with zarr-python."""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
import threading
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from zarr_server import serving

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr import grids, reader
from biggus.backends.zarr.backend import ZarrBackend
from biggus.errors import OpenError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")


BACKEND = ZarrBackend()
CODECS = {
    "zstd": {},
    "plain": {"compressors": None},
    "gzip": {"compressors": zarr.codecs.GzipCodec()},
    "transposed": {"filters": zarr.codecs.TransposeCodec(order=(1, 0))},
    "sharded": {"chunks": (1, 2)},
}
DTYPES = ["<f8", "i2", "T", [("a", "i2"), ("b", "f4")]]
"""biggus decodes the first two itself."""


def sample(shape, dtype):
    values = np.arange(np.prod(shape)).reshape(shape) + 1
    return values.astype(dtype)


def runs(edges):
    return [[edge, len(list(group))] for edge, group in itertools.groupby(edges)]


def write(path, data, edges, codecs="zstd", listed=None, skipped=()):
    """Write a store chunk by chunk; zarr-python writes each chunk as a separate array.

    Parameters
    ----------
    edges : list of list of int
        For each axis, the stored lengths of the chunks.
    listed : list, optional
        The edges as written to the metadata; `edges`, if not given.
    skipped : collection of tuple of int
        The indices of chunks that are not written.
    """
    starts = [[0, *itertools.accumulate(lengths)] for lengths in edges]
    document = None
    for number in itertools.product(*(range(len(lengths)) for lengths in edges)):
        shape = tuple(lengths[i] for lengths, i in zip(edges, number, strict=True))
        begin = [axis[i] for axis, i in zip(starts, number, strict=True)]
        part = data[tuple(slice(a, a + n) for a, n in zip(begin, shape, strict=True))]
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kwargs = {"chunks": shape, **CODECS[codecs]}
            if codecs == "sharded":
                kwargs["shards"] = shape
            array = zarr.create_array(folder, shape=shape, dtype=data.dtype, **kwargs)
            array[tuple(map(slice, part.shape))] = part
            document = json.loads((Path(folder) / "zarr.json").read_text())
            if number in skipped or part.size == 0:
                continue
            place = path.joinpath("c", *map(str, number))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((Path(folder) / "c" / "/".join("0" * data.ndim)).read_bytes())
    settings = {"kind": "inline", "chunk_shapes": edges if listed is None else listed}
    document["shape"] = list(data.shape)
    document["chunk_grid"] = {"name": "rectilinear", "configuration": settings}
    path.mkdir(exist_ok=True)
    (path / "zarr.json").write_text(json.dumps(document))


def open_at(path):
    return BACKEND.open(Location(path), "/")


def assert_same(found, expected):
    if expected.dtype.kind == "T":
        expected = expected.astype(object)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("codecs", CODECS)
def test_values(tmp_path, codecs, dtype):
    if codecs == "sharded" and isinstance(dtype, list):
        pytest.skip("zarr-python does not support shards of unhashable fill values")
    if codecs == "transposed" and dtype == "T":
        pytest.skip("zarr-python 3.1.6 writes transposed strings in another order")
    data = sample((10, 6), dtype)
    write(tmp_path, data, [[3, 3, 4], [2, 4]], codecs)
    source = open_at(tmp_path)
    assert source.shape == (10, 6)
    assert source.chunks == ((1, 2) if codecs == "sharded" else ((3, 3, 4), (2, 4)))
    assert_same(read(source, whole(data.shape)), data)
    for box in (np.s_[2:9:3, 1:6:4], np.s_[6:10:1, 2:6:1], np.s_[4:5:1, 5:6:1]):
        assert_same(read(source, box), data[box])
        assert source.peak_bytes(box) >= data[box].nbytes
    assert len(source.chunk_keys(np.s_[2:7:1, 0:6:1])) == 6
    assert_same(biggus.open(tmp_path)[::-2, [0, 5]].ndarray(), data[::-2, [0, 5]])


@st.composite
def grids_of_arrays(draw):
    """Draw a shape, the edges of the stored chunks, and their notation in the metadata."""
    shape, edges, listed = [], [], []
    for _ in range(2):
        if draw(st.booleans()):
            lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
        else:
            lengths = [draw(st.integers(1, 4))] * draw(st.integers(1, 4))
        # The last chunks may extend beyond the end, or lie behind it.
        shape.append(draw(st.integers(0, sum(lengths))))
        listings = [lengths, runs(lengths), [*runs(lengths[:-1]), lengths[-1]]]
        if len(set(lengths)) == 1:
            listings.append(lengths[0])
        edges.append(lengths)
        listed.append(draw(st.sampled_from(listings)))
    return tuple(shape), edges, listed


@given(drawn=grids_of_arrays(), dtype=st.sampled_from(["f8", "T"]), data=st.data())
def test_any_grid(drawn, dtype, data):
    shape, edges, listed = drawn
    values = sample(shape, dtype)
    numbers = list(itertools.product(*(range(len(lengths)) for lengths in edges)))
    skipped = data.draw(st.sets(st.sampled_from(numbers), max_size=2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zarr"
        write(path, values, edges, "zstd", listed, skipped)
        starts = [[0, *itertools.accumulate(lengths)] for lengths in edges]
        for i, j in skipped:
            a, b = starts
            values[a[i] : a[i + 1], b[j] : b[j + 1]] = "" if dtype == "T" else 0
        array = biggus.open(path)
        assert_same(array.ndarray(), values)
        assert_same(array[::-1, 1::2].ndarray(), values[::-1, 1::2])
        if dtype == "f8" and 0 not in shape:
            assert array.sum().ndarray() == values.sum()


def test_grids_written_by_zarr_python(tmp_path):
    data = sample((10, 8, 3), "f4")
    for shards in (False, True):
        path = tmp_path / f"{shards}.zarr"
        chunks = [[3, 3, 4], 5, [1, 2]]
        kwargs = {"chunks": chunks}
        if shards:
            kwargs = {"chunks": (1, 2, 1), "shards": [[3, 3, 4], [6, 2], 3]}
        try:
            with zarr.config.set({"array.rectilinear_chunks": True}), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                zarr.create_array(path, data=data, **kwargs)
        except (TypeError, ValueError) as error:
            pytest.skip(f"this zarr-python knows no rectilinear grids: {error}")
        assert '"rectilinear"' in (path / "zarr.json").read_text()
        # zarr-python reads them only if the option is set; biggus reads them always.
        assert_same(biggus.open(path).ndarray(), data)
        assert_same(biggus.open(path)[2:9:4, ::3].ndarray(), data[2:9:4, ::3])
        with zarr.config.set({"array.rectilinear_chunks": True}):
            array = zarr.open_array(path, mode="r")
            assert_same(biggus.ArrayAdapter(array)[4:].ndarray(), array[4:])


@pytest.mark.parametrize("codecs", ["zstd", "sharded"])
def test_pipelines_are_created_once_per_chunk_shape(tmp_path, monkeypatch, codecs):
    data = sample((12, 8), "T")
    write(tmp_path, data, [[3, 3, 4, 2], [4, 4]], codecs, skipped={(1, 1)})
    data[3:6, 4:] = ""
    created = []
    make = reader.ZarrPythonDecoder
    monkeypatch.setattr(
        reader, "ZarrPythonDecoder", lambda *args: created.append(args) or make(*args)
    )
    source = open_at(tmp_path)
    for _ in range(2):
        assert_same(read(source, whole(data.shape)), data)
        assert_same(read(source, np.s_[2:11:3, 3:5:1]), data[2:11:3, 3:5])
    assert len(created) == 3


def test_remote_chunks_decoded_by_zarr_are_fetched_concurrently(tmp_path):
    pytest.importorskip("urllib3")
    data = sample((10, 6), "T")
    write(tmp_path / "a.zarr", data, [[3, 7], [2, 4]])
    barrier = threading.Barrier(4)

    def answer(handler):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(30)  # times out if the requests come one by one
        handler.send_file(handler.path)

    with serving(tmp_path) as server:
        for row, column in itertools.product(range(2), range(2)):
            server.failures[f"/a.zarr/c/{row}/{column}"] = [1, answer]
        source = BACKEND.open(Location(f"{server.url}/a.zarr"), "/")
        assert_same(read(source, whole(data.shape)), data)
    assert not barrier.broken


def test_adopted_array():
    data = sample((10, 8), "f4")
    try:
        with zarr.config.set({"array.rectilinear_chunks": True}), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = zarr.create_array(
                zarr.storage.MemoryStore(), data=data, chunks=[[3, 3, 4], [5, 3]]
            )
    except (TypeError, ValueError) as error:
        pytest.skip(f"this zarr-python knows no rectilinear grids: {error}")
    assert_same(biggus.ArrayAdapter(array)[4:].ndarray(), data[4:])


def test_chunks_of_the_grid_are_cached(tmp_path):
    """A remote store is cached by the chunks of its grid."""
    pytest.importorskip("fsspec")
    data = sample((10, 6), "f8")
    write(tmp_path / "a.zarr", data, [[3, 3, 4], [2, 4]])
    url = f"local://{tmp_path / 'a.zarr'}"
    with biggus.Cache(tmp_path / "cache") as cache:
        array = biggus.open(url, backend="zarr", cache=cache)
        assert_same(array[3:7].ndarray(), data[3:7])
        (tmp_path / "a.zarr/c/1/1").unlink()
        assert_same(array[2:7, 3:].ndarray()[1:], data[3:7, 3:])


NONSENSE = {
    "kind": {"kind": "outline", "chunk_shapes": [[3, 3, 4], [6]]},
    "no kind": {"chunk_shapes": [[3, 3, 4], [6]]},
    "too short": {"kind": "inline", "chunk_shapes": [[3, 3], [6]]},
    "axes": {"kind": "inline", "chunk_shapes": [[3, 3, 4]]},
    "no axes": {"kind": "inline"},
    "zero": {"kind": "inline", "chunk_shapes": [[3, 3, 4, 0], [6]]},
    "zero step": {"kind": "inline", "chunk_shapes": [0, [6]]},
    "negative": {"kind": "inline", "chunk_shapes": [[13, -3], [6]]},
    "fraction": {"kind": "inline", "chunk_shapes": [[5.0, 5.0], [6]]},
    "empty": {"kind": "inline", "chunk_shapes": [[], [6]]},
    "runs": {"kind": "inline", "chunk_shapes": [[[3, 2, 4]], [6]]},
    "boolean": {"kind": "inline", "chunk_shapes": [[True, 9], [6]]},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_invalid_grid_raises(tmp_path, name):
    write(tmp_path, sample((10, 6), "f8"), [[3, 3, 4], [6]])
    document = json.loads((tmp_path / "zarr.json").read_text())
    document["chunk_grid"]["configuration"] = NONSENSE[name]
    (tmp_path / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(OpenError, match="metadata are invalid"):
        open_at(tmp_path)


def test_number_of_edges_is_bounded(monkeypatch):
    fields = {"shape": [10**12], "chunk_grid": {"name": "rectilinear"}}
    fields["chunk_grid"]["configuration"] = {"kind": "inline", "chunk_shapes": [[[5, 10**12]]]}
    monkeypatch.setattr(grids, "_MOST_EDGES", 1000)
    with pytest.raises(ValueError, match="more than 1000"):
        grids.rectilinear_edges(fields)
    fields["chunk_grid"]["configuration"]["chunk_shapes"] = [5]
    assert grids.rectilinear_edges(fields) == (5,)


def test_chunk_of_another_shape_raises(tmp_path):
    write(tmp_path, sample((10, 6), "f8"), [[3, 3, 4], [2, 4]], "plain")
    (tmp_path / "c/2/0").write_bytes((tmp_path / "c/1/0").read_bytes())
    source = open_at(tmp_path)
    with pytest.raises(SourceError):
        read(source, whole((10, 6)))
    assert read(source, np.s_[0:6:1, 0:6:1])[0, 0] == 1
