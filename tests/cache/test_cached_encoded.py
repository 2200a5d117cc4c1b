"""Caches that store chunks encoded, as they came: same values, smaller entries, mixed writers."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.cache import Cache
from biggus.cache.compression import BLOSC, ENCODED, RAW
from biggus.errors import OptionError
from biggus.sources.base import whole
from biggus.sources.description import DescribedSource, describe
from biggus.sources.wrappers import ObjectSource

pytest.importorskip("PIL")
pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")
fsspec = pytest.importorskip("fsspec")
sys.path.append(str(Path(__file__).parents[1] / "backends" / "helpers"))
from tile_server import Reply
from zarr_server import serving

pytestmark = pytest.mark.usefixtures("no_chunk_memory")
from encoded_samples import ARRAYS, DATA, SETTINGS, SIZE, kinds, make_array, same, tile_source

TILES = [
    ("RGB", "jpg", 3), ("L", "jpg", 1), ("RGB", "png", 3), ("RGBA", "png", 4), ("P", "png", 3),
    ("L", "png", 1), ("LA", "png", 4), ("1", "png", 1), ("RGB", "webp", 3), ("RGBA", "webp", 4),
]  # fmt: skip


def check_both_settings(folder, source, entries, count_requests):
    """Read a source through caches of both settings, and each cache with the other setting."""
    box, sizes = whole(source.shape), {}
    values = source[box]
    for writer, reader in itertools.permutations(SETTINGS):
        cache = Cache(folder / writer, "10 MB", stored=writer)
        same(cache.wrap(source)[box], values)
        assert (ENCODED in kinds(entries, cache)) == (writer == "encoded")
        sizes[writer] = sum(path.stat().st_size for path in entries(cache))
        before = count_requests()
        other = Cache(cache.path, "10 MB", stored=reader)
        found = other.wrap(source)[box]
        same(found, values)
        assert found.flags.writeable
        assert count_requests() == before
        assert other.stats().misses == 0
        assert other.stats().hits == len(entries(cache))
    assert sizes["encoded"] < 0.6 * sizes["decoded"]


@pytest.mark.parametrize(("mode", "suffix", "bands"), TILES)
def test_encoded_tiles_read_like_decoded_ones(tiles, tmp_path, entries, mode, suffix, bands):
    source = tile_source(tiles, mode, suffix, bands)
    check_both_settings(tmp_path, source, entries, tiles.requests.total)


@pytest.mark.parametrize("name", ARRAYS)
def test_encoded_zarr_chunks_read_like_decoded_ones(tmp_path, entries, name):
    make_array(tmp_path, **ARRAYS[name])
    with serving(tmp_path) as server:
        source = ZarrBackend().open(Location(f"{server.url}/a.zarr"), "/")
        check_both_settings(tmp_path, source, entries, lambda: len(server.requests))


@pytest.mark.parametrize("name", ["zstd", "sharded", "2 delta"])
def test_encoded_chunks_of_an_fsspec_store(tmp_path, entries, name):
    make_array(tmp_path, **ARRAYS[name])
    place = f"/encoded/{name.replace(' ', '-')}"
    fsspec.filesystem("memory").put(str(tmp_path / "a.zarr"), f"{place}/a.zarr", recursive=True)
    source = ZarrBackend().open(Location(f"memory:/{place}/a.zarr"), "/")
    same(source[whole(DATA.shape)], DATA)
    check_both_settings(tmp_path, source, entries, lambda: 0)


def test_fill_values_missing_tiles_and_plain_chunks_are_stored_decoded(tmp_path, entries, tiles):
    """Chunks that were never written, missing tiles, and uncompressed chunks have no encoding."""
    sparse = np.zeros((64, 64))
    sparse[:16] = DATA[:16, :64]
    make_array(tmp_path, sparse)
    zarr.create_array(tmp_path / "b.zarr", data=DATA, chunks=(16, 32), compressors=None)
    with serving(tmp_path) as server:
        for name, expected in ("a", {RAW, ENCODED}), ("b", {RAW}):
            source = ZarrBackend().open(Location(f"{server.url}/{name}.zarr"), "/")
            cache = Cache(tmp_path / name, "10 MB", stored="encoded")
            for _ in range(2):
                same(cache.wrap(source)[whole(source.shape)], source[whole(source.shape)])
            assert kinds(entries, cache) == expected
    tiles.replies["*"] = [Reply(404)] * 9
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    source = tile_source(tiles, missing=7)
    for _ in range(2):
        assert (cache.wrap(source)[whole(source.shape)] == 7).all()
    assert kinds(entries, cache) == {RAW}
    assert tiles.requests.total() == 4


def test_chunks_of_another_grid_are_stored_decoded(tmp_path, entries, tiles):
    make_array(tmp_path)
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    with serving(tmp_path) as server:
        zarr_source = ZarrBackend().open(Location(f"{server.url}/a.zarr"), "/")
        for source, chunks in (
            (zarr_source, (8, 31)),
            (zarr_source, (33, 32)),
            (tile_source(tiles), (SIZE // 2, SIZE, 3)),
        ):
            for _ in range(2):
                found = cache.wrap(source, chunks)[whole(source.shape)]
                same(found, source[whole(source.shape)])
    assert kinds(entries, cache) == {RAW}


@pytest.mark.parametrize("name", ["zstd", "two", "turned", "2 delta"])
def test_peak_memory_is_within_peak_bytes(tmp_path, name):
    """Both with the source at hand, and with its description only."""
    data = np.tile(DATA, (10, 10))
    made = zarr.create_array(
        tmp_path / "a.zarr", shape=data.shape, dtype=data.dtype, chunks=data.shape, **ARRAYS[name]
    )
    made[:] = data
    box = whole(data.shape)
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    with serving(tmp_path) as server:
        source = ZarrBackend().open(Location(f"{server.url}/a.zarr"), "/")
        cache.wrap(source)[box]
    for one in (source, DescribedSource(describe(source), source.encoding)):
        cached = cache.wrap(one)
        tracemalloc.start()
        try:
            values = cached[box]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        same(values, data)
        assert peak < cached.peak_bytes(box) + 100_000
    assert cache.stats().hits == 2


def test_chunks_in_memory_are_not_decoded_again(tmp_path, tiles, monkeypatch):
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    template = f"{tiles.url}/RGB/{{z}}/{{x}}/{{y}}.jpg?size={SIZE}"
    image = biggus.open(template, zoom=1, tile_size=SIZE, cache=cache)
    values, calls = image.ndarray(), []
    kind = type(tile_source(tiles).encoding)
    decode_tile = kind.decode
    monkeypatch.setattr(kind, "decode", lambda *args: (calls.append(1), decode_tile(*args))[1])
    with biggus.set_options(chunk_memory="10 MB"):
        for _ in range(3):
            same(image[3:5, 3:5].ndarray(), values[3:5, 3:5])
    assert len(calls) == 1


def test_encoded_chunks_are_not_compressed_again(tmp_path, entries, tiles):
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded", compression="zstd")
    image = cache.wrap(tile_source(tiles, mode="L", suffix="png", bands=1))
    image[whole(image.shape)]
    assert kinds(entries, cache) == {ENCODED}
    other = cache.wrap(ObjectSource(np.zeros(10_000), token="zeros"))
    other[whole(other.shape)]
    assert kinds(entries, cache) == {ENCODED, BLOSC}


def test_stored_option_is_checked_and_pickled(tmp_path):
    with pytest.raises(OptionError, match="stored must be one of decoded, encoded, not 'raw'"):
        Cache(tmp_path / "c", stored="raw")
    cache = Cache(tmp_path / "c", stored="encoded")
    assert pickle.loads(pickle.dumps(cache)).stored == "encoded"


def test_encoded_cache_holds_more_within_the_limit(tmp_path, on_disk, tiles):
    held = {}
    for setting in SETTINGS:
        limit = 150_000
        with Cache(tmp_path / setting, limit, policy="lru", stored=setting) as cache:
            cached = cache.wrap(tile_source(tiles, "L", "png", 1, zoom=3))
            for row in range(0, cached.shape[0], SIZE):
                cached[slice(row, row + SIZE, 1), slice(0, cached.shape[1], 1)]
                assert on_disk(cache.path) <= 1.02 * limit + 8192
        stats = cache.stats()
        held[setting] = stats.entries
        assert on_disk(cache.path) <= stats.bytes <= limit
        assert stats.entries > 0
    assert held["encoded"] > held["decoded"]


def test_pin_prefetch_receipt_and_record_match_decoded_cache(tmp_path, entries, tiles, monkeypatch):
    monkeypatch.chdir(tmp_path)
    template = f"{tiles.url}/RGB/{{z}}/{{x}}/{{y}}.jpg?size={SIZE}"
    receipts, values = set(), []
    for setting in SETTINGS:
        cache = Cache(setting, "10 MB", stored=setting)
        image = biggus.open(template, zoom=1, tile_size=SIZE, cache=cache)
        biggus.pin(image)
        biggus.prefetch(image)
        assert cache.stats().pinned
        requests = tiles.requests.total()
        for _ in range(2):
            receipts.add(biggus.receipt([image]))
        with biggus.record(f"{setting}.biggus"):
            again = biggus.open(template, zoom=1, tile_size=SIZE, cache=cache)
            values.append(again.mean(axis=(0, 1)).ndarray())
        assert tiles.requests.total() == requests
    assert kinds(entries, cache) >= {ENCODED}
    assert len(receipts) == 1
    same(*values)
    assert Path("decoded.biggus").read_bytes() == Path("encoded.biggus").read_bytes()


READERS = """if True:
    import os, random, sys, biggus, biggus.cache.index
    folder, url = sys.argv[1:]
    biggus.cache.index._WAIT_SECONDS = 10.0  # every chunk is stored, however busy the machine is
    biggus.open(url, zoom=0, tile_size=32, cache=False).ndarray()  # imports before the forks
    children = []
    for seed in range(8):
        children.append(os.fork())
        if children[-1]:
            continue
        setting = ("decoded", "encoded")[seed % 2]
        with biggus.Cache(folder, "10 MB", stored=setting) as cache:
            image = biggus.open(url, zoom=2, tile_size=32, cache=cache)
            places = [(32 * y, 32 * x) for y in range(4) for x in range(4)]
            random.Random(seed).shuffle(places)
            total = sum(int(image[y : y + 32, x : x + 32].ndarray().sum()) for y, x in places)
        os.write(1, f"{total}\\n".encode())  # at once
        os._exit(0)
    print([os.waitpid(child, 0)[1] for child in children])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_eight_processes_of_both_settings_share_a_folder(tmp_path, tiles, entries):
    url = f"{tiles.url}/RGB/{{z}}/{{x}}/{{y}}.jpg?size=32"
    command = [sys.executable, "-W", "error", "-c", READERS, str(tmp_path / "c"), url]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120, text=True)
    assert len(entries(Cache(tmp_path / "c", "10 MB"))) == 16
    source = tile_source(tiles, size=32, zoom=2)
    total = int(source[whole(source.shape)].sum())
    assert done.stdout.splitlines() == [str(total)] * 8 + [str([0] * 8)]
