"""Pinned chunks stay in the cache, within its limit, in all processes."""

import subprocess
import sys

import numpy as np
import pytest

import biggus
from biggus.errors import CacheError
from biggus.sources.base import Source

CHUNK = 10_000
ON_DISK = 12_288
LIMIT = 500_000


class Numbers(Source):
    """A slow source that counts its fetches."""

    io_bound = True

    def __init__(self, token, count=10):
        self.shape, self.dtype = (count * CHUNK,), np.dtype("u1")
        self.chunks = (CHUNK,)
        self.token = self.name = token
        self.fetched = 0

    def state(self):
        return b"one"

    def __getitem__(self, box):
        self.fetched += 1
        return np.arange(self.shape[0], dtype="u1")[box]


def array(cache, token, count=10):
    return biggus.ArrayAdapter(Numbers(token, count), cache=cache)


def fetched(cache, token, part=np.s_[:]):
    """Return how many chunks a newly opened array fetches for a part of it."""
    source = Numbers(token)
    values = biggus.ArrayAdapter(source, cache=cache)[part].ndarray()
    assert (values == np.arange(source.shape[0], dtype="u1")[part]).all()
    return source.fetched


def scanned(cache, token, count=200):
    """Read more chunks of another array than fit in the cache."""
    a = array(cache, token, count)
    for i in range(count):  # each read evicts older chunks
        a[i * CHUNK : (i + 1) * CHUNK].ndarray()
    cache.close()


pytestmark = pytest.mark.usefixtures("no_chunk_memory")


@pytest.mark.parametrize("before", [True, False])
def test_pinned_chunks_are_not_evicted(tmp_path, before):
    cache = biggus.Cache(tmp_path / "c", LIMIT)
    a = array(cache, "a")
    if before:
        a.ndarray()
    biggus.pin(a[: 3 * CHUNK], a[5 * CHUNK] + 1)
    assert cache.stats().pinned == 4 * ON_DISK
    biggus.prefetch(a)
    scanned(cache, "b")
    assert fetched(cache, "a", np.s_[: 3 * CHUNK]) == 0
    assert fetched(cache, "a", np.s_[5 * CHUNK : 6 * CHUNK]) == 0
    assert fetched(cache, "a", np.s_[8 * CHUNK :]) == 2
    assert cache.stats().bytes <= LIMIT


@pytest.mark.machine
def test_pins_hold_in_other_processes_until_unpinned(tmp_path):
    cache = biggus.Cache(tmp_path / "c", LIMIT)
    biggus.pin(array(cache, "a"))
    biggus.prefetch(array(cache, "a"))
    cache.close()
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[2])
        import biggus
        from test_pinning import LIMIT, scanned
        scanned(biggus.Cache(sys.argv[1], LIMIT), "b")
    """
    where = str(__file__).rpartition("/")[0]
    subprocess.run([sys.executable, "-c", code, str(cache.path), where], check=True)
    assert fetched(cache, "a") == 0
    biggus.unpin(array(cache, "a")[: 4 * CHUNK])
    assert cache.stats().pinned == 6 * ON_DISK
    scanned(cache, "c")
    assert fetched(cache, "a", np.s_[4 * CHUNK :]) == 0
    assert fetched(cache, "a", np.s_[: 4 * CHUNK]) == 4
    cache.clear()
    assert cache.stats().pinned == 0


def test_pinning_more_than_the_limit_raises(tmp_path):
    cache = biggus.Cache(tmp_path / "c", LIMIT)
    biggus.pin(array(cache, "a"))
    with pytest.raises(CacheError, match="three quarters of its size limit"):
        biggus.pin(array(cache, "b", 25))
    assert cache.stats().pinned == 10 * ON_DISK
    biggus.pin(array(cache, "a"), array(cache, "b", 20))  # pinned chunks count once
    assert cache.stats().pinned == 30 * ON_DISK


def test_chunks_that_do_not_fit_beside_pins_are_not_stored(tmp_path):
    cache = biggus.Cache(tmp_path / "c", LIMIT)
    a = array(cache, "a", 30)
    biggus.pin(a)
    biggus.prefetch(a)
    large = Numbers("large", 13)
    large.chunks = large.shape
    values = biggus.ArrayAdapter(large, cache=cache).ndarray()
    assert (values == np.arange(13 * CHUNK, dtype="u1")).all()
    cache.close()
    assert cache.stats().bytes <= LIMIT
    assert (large, tuple(slice(0, n, 1) for n in large.shape)) not in cache


def test_pinned_chunks_are_those_of_the_cache(tmp_path):
    cache = biggus.Cache(tmp_path / "c", LIMIT)
    source = Numbers("a")
    for chunk in (2 * CHUNK, CHUNK // 2):
        a = biggus.ArrayAdapter(source, chunks=(chunk,), cache=cache)
        biggus.pin(a[CHUNK : CHUNK + 2])
        biggus.prefetch(a[CHUNK : CHUNK + 2])
        assert cache.stats().pinned == 4096 * -(-(chunk + 512) // 4096)
        biggus.unpin(a)
        assert cache.stats().pinned == 0


def test_pinning_an_uncached_array_raises():
    a = biggus.ArrayAdapter(Numbers("a"), cache=False)
    with pytest.raises(CacheError, match="is not cached"):
        biggus.pin(a)
    biggus.pin(biggus.ArrayAdapter(np.arange(3.0)))  # arrays in memory need no cache
