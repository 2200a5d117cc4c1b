"""Shards that change while they are read: the values of a read come from one state."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

from shard_samples import (
    CHUNKS,
    DATA,
    MANY,
    NUMBERS,
    SHAPE,
    SHARDS,
    create,
    open_url,
    shard_file,
    sharding,
)

import biggus
from biggus.backends.zarr import bodies, ranges
from biggus.errors import SourceError
from biggus.sources.base import read


def replace(server, values, name="a.zarr"):
    """Replace the first shard by an uncompressed shard of other values."""
    create(server.folder / "b.zarr", values, sharding(compressed=False))
    (server.folder / "b.zarr/c/0/0").replace(shard_file(server, 0, name))


@pytest.mark.in_pairs
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("knows_ranges", [True, False])
@pytest.mark.parametrize("change_at", range(5))
def test_changing_shard_is_not_mixed(
    server, tmp_path, monkeypatch, change_at, knows_ranges, cached
):
    monkeypatch.setattr(bodies, "TRUSTED_SECONDS", 0.0)
    monkeypatch.setattr(ranges, "MOST_JOINED", 2**16)
    monkeypatch.setattr("biggus.backends.zarr.thread_pool.threads.most", 1)
    first, second = np.full(SHAPE, 1, "i4"), np.full(SHAPE, 2, "i4")
    create(tmp_path / "a.zarr", first, sharding(compressed=False))
    server.ranges = knows_ranges
    array = biggus.open(f"{server.url}/a.zarr", cache=False)
    server.before[:] = [*[lambda: None] * change_at, lambda: replace(server, second)]
    values = array[:, :256].ndarray()
    assert values.min() == values.max()
    server.before.clear()
    if cached:
        with biggus.Cache(tmp_path / "cache") as cache:
            kept = biggus.open(f"{server.url}/a.zarr", cache=cache, fresh_for=0)
            kept.ndarray()
            replace(server, np.full(SHAPE, 3, "i4"))
            again = kept[:, :256].ndarray()
            assert again.min() == again.max() == 3


def test_index_of_a_changed_shard_is_read_again(server, tmp_path):
    """With chunks at other places, more chunks, and no chunks."""
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=SHAPE, dtype="i8", chunks=CHUNKS, shards=SHARDS
    )
    array[:] = DATA
    source = open_url(server)
    np.testing.assert_array_equal(read(source, NUMBERS), DATA[NUMBERS])
    np.testing.assert_array_equal(read(source, MANY), DATA)
    for values in (DATA % 3, DATA[::-1], np.zeros(SHAPE, "i8"), DATA + 1):
        array[:] = values
        np.testing.assert_array_equal(read(source, NUMBERS), values[NUMBERS])
        np.testing.assert_array_equal(read(source, MANY), values)


SPARSE = np.s_[0:16:1, 0:32:1]
"""The box of two chunks that are written one after the other."""


def make_sparse(path):
    return zarr.create_array(
        path, shape=SHAPE, dtype="i4", chunks=CHUNKS, shards=SHARDS, fill_value=-1
    )


@pytest.mark.parametrize("read_before", ["absent", "elsewhere"])
@pytest.mark.parametrize("cached", [False, True])
def test_chunk_written_later_to_a_shard_is_seen(server, tmp_path, cached, read_before):
    array = make_sparse(tmp_path / "a.zarr")
    array[32:48, 0:16] = 5  # creates the shard
    with biggus.Cache(tmp_path / "cache") as cache:
        lazy = biggus.open(f"{server.url}/a.zarr", cache=cache if cached else False, fresh_for=0)
        if read_before == "elsewhere":
            assert (lazy[32:48, :16].ndarray() == 5).all()
        for columns in (slice(16, 32), slice(0, 16), slice(0, 32)):
            for _ in range(2):
                np.testing.assert_array_equal(lazy[SPARSE].ndarray(), array[SPARSE])
            array[0:16, columns] = columns.stop
            for _ in range(2):
                np.testing.assert_array_equal(lazy[SPARSE].ndarray(), array[SPARSE])
        array[...] = -1  # zarr-python removes shards that hold only fill values
        np.testing.assert_array_equal(lazy[SPARSE].ndarray(), array[SPARSE])


def test_concurrent_readers_see_a_chunk_written_later(server, tmp_path):
    array = make_sparse(tmp_path / "a.zarr")
    array[32:48, 0:16] = 5
    source = open_url(server)
    with ThreadPoolExecutor(8) as pool:
        for value in (-1, 1, -1, 2):
            array[SPARSE] = value
            for found in pool.map(lambda _: read(source, SPARSE), range(16)):
                assert (found == value).all()


def test_absent_chunks_cost_one_request(server, tmp_path):
    array = make_sparse(tmp_path / "a.zarr")
    array[32:48, 0:16] = 5
    source = open_url(server)
    shard = "/a.zarr/c/0/0"
    for _ in range(3):
        server.requests.clear()
        assert (read(source, SPARSE) == -1).all()
        assert server.paths().count(shard) == 1


def test_shard_that_changes_all_the_time_raises(server, tmp_path):
    create(tmp_path / "a.zarr", DATA)
    source = open_url(server)
    times = itertools.count(1000)
    server.before[:] = [lambda: os.utime(shard_file(server), (1, next(times)))] * 100
    with pytest.raises(SourceError, match="changed while it was read"):
        read(source, MANY)


@pytest.mark.parametrize("fresh_for", [0, 100])
def test_stale_shard_is_revalidated(server, tmp_path, fresh_for):
    create(tmp_path / "a.zarr", DATA)
    with biggus.Cache(tmp_path / "cache") as cache:
        array = biggus.open(f"{server.url}/a.zarr", cache=cache, fresh_for=fresh_for)
        array.ndarray()
        requests, sent = server.cost(lambda: np.testing.assert_array_equal(array.ndarray(), DATA))
        # One request for each shard, and two for metadata.
        assert requests == (0 if fresh_for else 4)
        assert sent < 3000


@pytest.mark.parametrize("etags", [True, False])
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_revalidation_downloads_only_changed_shards(
    server, tmp_path, monkeypatch, knows_ranges, etags
):
    monkeypatch.setattr(bodies, "TRUSTED_SECONDS", 0.0)
    create(tmp_path / "a.zarr", DATA, sharding(compressed=False))
    server.ranges, server.etags = knows_ranges, etags
    source = open_url(server, fresh_for=0)
    box = (slice(0, 256, 1), slice(0, 256, 1))
    values, validator = source.fetch(box)
    np.testing.assert_array_equal(values, DATA[box])
    shard = "/a.zarr/c/0/0"
    server.requests.clear()
    again = source.revalidate(box, validator)
    assert server.paths().count(shard) == 1
    if knows_ranges and not etags:
        assert again is None  # there is no validator
    else:
        assert source._parsed(again)[1] == source._parsed(validator)[1]
    monkeypatch.setattr(bodies, "TRUSTED_SECONDS", 1e9)
    values = DATA % 3
    replace(server, values)
    found = []

    def fetch_again():
        assert source.revalidate(box, validator) is None
        found.append(source.fetch(box)[0])

    _, sent = server.cost(fetch_again)
    np.testing.assert_array_equal(found[0], values[box])
    size = shard_file(server).stat().st_size
    # With ranges, some chunks may be fetched by the old index before the change is noticed.
    assert sent < (2.5 if knows_ranges else 1.5) * size
