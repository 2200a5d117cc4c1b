"""Shards on a real web server: numbers of requests and bytes, and memory."""

from __future__ import annotations

import contextlib
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

from shard_samples import (
    BACKEND,
    CHUNKS,
    DATA,
    NUMBERS,
    SHAPE,
    SHARDS,
    create,
    open_url,
    settle,
    shard_file,
    sharding,
)

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr import ranges
from biggus.sources.base import read, whole

JOINS_READS = tuple(map(int, zarr.__version__.split(".")[:2])) >= (3, 4)
VALIDATORS = {"etag": (True, False), "date": (False, True), "none": (False, False)}


@pytest.mark.in_pairs
@pytest.mark.parametrize("kind", ["zstd", "plain", "at start", "strings"])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("validators", VALIDATORS)
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_number_of_requests_and_bytes(server, tmp_path, knows_ranges, validators, cached, kind):
    data = DATA.astype("T") if kind == "strings" else DATA.astype("f4")
    if kind == "strings":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = zarr.create_array(
                tmp_path / "a.zarr", shape=SHAPE, dtype=str, chunks=CHUNKS, shards=SHARDS
            )
            array[:] = data
        data = data.astype(object)
    else:
        codec = sharding("start" if kind == "at start" else "end", compressed=kind != "plain")
        create(tmp_path / "a.zarr", data, codec)
    files = [shard_file(server, number) for number in (0, 1)]
    settle(*files)
    size = sum(path.stat().st_size for path in files)
    server.ranges = knows_ranges
    server.etags, server.dates = VALIDATORS[validators]
    with biggus.Cache(tmp_path / "cache") as cache:
        # Python objects are not cached.
        kept = cached and kind != "strings"
        for key, requests, most in (
            (np.s_[:16], 12, size // 3),
            (np.s_[:], 8, size),
            (np.s_[40, 300], 2, size // 10),
        ):
            array = biggus.open(f"{server.url}/a.zarr", cache=cache if cached else False)
            found = []
            cost = server.cost(lambda: found.append(array[key].ndarray()))  # noqa: B023
            np.testing.assert_array_equal(found[0], data[key])
            assert cost[0] <= requests
            # zarr-python reads strings of variable length, and joins reads since 3.4.
            joined = kind == "strings" and key != np.s_[40, 300] and JOINS_READS
            bound = most if knows_ranges and not joined else size
            assert cost[1] <= bound * 1.02 + 2 * 16 * 256 + 2000
            if kept:
                cache.close()  # store waiting chunks
                assert server.cost(array[key].ndarray) == (0, 0)


def test_fewer_requests_or_bytes_than_zarr_python(server, tmp_path):
    """zarr-python requests each chunk, or, since 3.4, most of a shard at once."""
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    create(tmp_path / "a.zarr", DATA)
    array = zarr.open_array(f"{server.url}/a.zarr", mode="r")
    requests, sent = server.cost(lambda: array[:16])
    ours = server.cost(biggus.open(f"{server.url}/a.zarr", cache=False)[:16].ndarray)
    assert ours[0] < requests or ours[1] < sent


def test_requests_for_columns_points_and_strides(server, tmp_path):
    create(tmp_path / "a.zarr", DATA)
    array = biggus.open(f"{server.url}/a.zarr", cache=False)
    for key, most in (
        (np.s_[:, 5], 12),
        (np.s_[::40], 70),
        (np.s_[[3, 200], :], 20),
        (np.s_[100:140, 200:300], 14),
    ):
        found = []
        requests, _ = server.cost(lambda: found.append(array[key].ndarray()))  # noqa: B023
        np.testing.assert_array_equal(found[0], DATA[key])
        assert requests <= most


def test_chunks_never_written(server, tmp_path):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=SHAPE, dtype="i8", chunks=CHUNKS, shards=SHARDS, fill_value=-1
    )
    array[32:48, 16:64] = 7
    expected = array[:]
    lazy = biggus.open(f"{server.url}/a.zarr", cache=False)
    np.testing.assert_array_equal(lazy.ndarray(), expected)
    # One shard has an index and a run of chunks; the other shard is absent.
    assert server.cost(lazy.ndarray)[0] <= 4


def test_index_is_requested_once(server, tmp_path):
    create(tmp_path / "a.zarr", DATA)
    source = open_url(server)
    requests = [server.cost(lambda: read(source, NUMBERS))[0] for _ in range(3)]
    assert requests == [2, 1, 1]
    server.etags = False
    # Without ETags, the kept index cannot be revalidated.
    assert server.cost(lambda: read(source, NUMBERS))[0] == 3
    assert server.cost(lambda: read(source, NUMBERS))[0] == 2


def test_large_shards_are_read_in_parts(server, tmp_path, monkeypatch):
    monkeypatch.setattr("biggus.backends.zarr.grids.LARGEST", 2**17)
    monkeypatch.setattr(ranges, "MOST_JOINED", 2**15)
    create(tmp_path / "a.zarr", DATA.astype("f8"), sharding(compressed=False))
    source = open_url(server)
    assert source.shards == (128, 128)
    assert source.chunks == CHUNKS
    array = biggus.open(f"{server.url}/a.zarr", cache=False)
    found = []
    requests, sent = server.cost(lambda: found.append(array.ndarray()))
    np.testing.assert_array_equal(found[0], DATA)
    longest = max(
        int(last) - int(first)
        for _, headers in server.requests
        if "Range" in headers and headers["Range"][6] != "-"
        for first, last in [headers["Range"][6:].split("-")]
    )
    assert longest < 2**15
    assert requests <= 2 + DATA.nbytes // 2**15 * 2
    assert sent <= DATA.nbytes * 1.05
    assert float(array.sum().ndarray()) == DATA.sum()


def test_concurrent_readers_fetch_a_shard_once(server, tmp_path):
    create(tmp_path / "a.zarr", DATA)
    for knows_ranges in (True, False):
        server.ranges = knows_ranges
        with biggus.Cache(tmp_path / f"cache-{knows_ranges}") as cache:
            array = biggus.open(f"{server.url}/a.zarr", cache=cache)
            barrier = threading.Barrier(6)

            def reader():
                barrier.wait(120)  # noqa: B023
                return array.ndarray()  # noqa: B023

            def read_concurrently():
                with ThreadPoolExecutor(6) as pool:
                    for future in [pool.submit(reader) for _ in range(6)]:
                        np.testing.assert_array_equal(future.result(30), DATA)

            requests, sent = server.cost(read_concurrently)
            size = sum(shard_file(server, number).stat().st_size for number in (0, 1))
            assert requests <= 8
            assert sent <= 1.1 * size + 10_000


def write_strings(path, rows=256):
    """Write strings in shards of 64 rows, which zarr-python reads; return the values."""
    data = DATA[:rows].astype("T")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = zarr.create_array(
            path, shape=data.shape, dtype=str, chunks=CHUNKS, shards=(64, 512)
        )
        array[:] = data
    return data.astype(object)


def test_shards_decoded_by_zarr_are_fetched_concurrently(server, tmp_path):
    data = write_strings(tmp_path / "a.zarr")
    source = open_url(server)
    barrier = threading.Barrier(4)

    def answer(handler):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(30)  # times out if the requests come one by one
        handler.send_file(handler.path)

    for number in range(4):
        server.failures[f"/a.zarr/c/{number}/0"] = [1, answer]
    box = np.s_[0:256:1, 3:5:1]
    np.testing.assert_array_equal(read(source, box), data[box])
    assert not barrier.broken


def test_concurrent_readers_request_the_index_once(server, tmp_path):
    create(tmp_path / "a.zarr", DATA)
    source = open_url(server)
    boxes = [np.s_[i : i + 16 : 1, j : j + 16 : 1] for i in range(0, 64, 16) for j in (0, 16)]
    with ThreadPoolExecutor(8) as pool:
        for box, found in zip(boxes, pool.map(lambda box: read(source, box), boxes), strict=True):
            np.testing.assert_array_equal(found, DATA[box])
    requests = [
        headers.get("Range", "") for path, headers in server.requests if path.endswith("c/0/0")
    ]
    assert sum(text.startswith("bytes=-") for text in requests) <= 2
    assert len(requests) <= 10


# -- fsspec -----------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [False, True])
def test_number_of_fsspec_calls(tmp_path, monkeypatch, cached):
    fsspec = pytest.importorskip("fsspec")
    create(tmp_path / "a.zarr", DATA)
    calls = []
    kind = type(fsspec.filesystem("file"))
    inner = kind.cat_file

    def counting_cat_file(self, path, start=None, end=None, **kwargs):
        data = inner(self, path, start, end, **kwargs)
        calls.append(len(data))
        return data

    monkeypatch.setattr(kind, "cat_file", counting_cat_file)
    with biggus.Cache(tmp_path / "cache") as cache:
        url = f"local://{tmp_path / 'a.zarr'}"
        array = biggus.open(url, backend="zarr", cache=cache if cached else False)
        size = sum((tmp_path / f"a.zarr/c/0/{i}").stat().st_size for i in (0, 1))
        for key, most in ((np.s_[:16], 10), (np.s_[:], 8), (np.s_[3, 4], 2)):
            calls.clear()
            np.testing.assert_array_equal(array[key].ndarray(), DATA[key])
            assert len(calls) <= most
            assert sum(calls) <= 1.02 * size


def test_peak_memory_is_within_peak_bytes(tmp_path, traced_peak):
    pytest.importorskip("fsspec")
    data = np.random.default_rng(0).normal(size=(512, 512))
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(32, 32), shards=(256, 512))
    source = BACKEND.open(Location(f"local://{tmp_path / 'a.zarr'}"), "/")
    for box in (whole(data.shape), np.s_[0:32:1, 0:512:1], np.s_[3:4:1, 0:9:1]):
        np.testing.assert_array_equal(read(source, box), data[box])
        most = source.peak_bytes(box) + 50_000
        assert traced_peak(lambda box=box: read(source, box), most) <= most


def test_peak_memory_of_many_shards_decoded_by_zarr(tmp_path, monkeypatch, traced_peak):
    pytest.importorskip("fsspec")
    monkeypatch.setattr("biggus.backends.zarr.reader.decoder_of", lambda *_: None)
    data = np.random.default_rng(0).normal(size=(128 * 100, 128))
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(32, 32), shards=(128, 128))
    source = BACKEND.open(Location(f"local://{tmp_path / 'a.zarr'}"), "/")
    box = np.s_[0:12800:32, 0:70:32]
    np.testing.assert_array_equal(read(source, box), data[box])
    most = source.peak_bytes(box) + 2**20  # tasks of zarr-python
    assert traced_peak(lambda: read(source, box), most) <= most
