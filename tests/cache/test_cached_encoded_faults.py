"""Encoded entries that are damaged, or cannot be decoded, give no wrong values."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends.http import client as http
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.cache import Cache
from biggus.cache.compression import ENCODED
from biggus.cache.entry import Encoded, EntryDecoder, EntryError, announced, decode
from biggus.errors import OfflineError, SourceError
from biggus.sources.base import whole

pytest.importorskip("PIL")
pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")
fsspec = pytest.importorskip("fsspec")
sys.path.append(str(Path(__file__).parents[1] / "backends" / "helpers"))
from tile_server import Reply, encoded, image_of
from zarr_server import serving

pytestmark = pytest.mark.usefixtures("no_chunk_memory")
from encoded_samples import (
    ARRAYS,
    DATA,
    SETTINGS,
    SIZE,
    STORED,
    kinds,
    make_array,
    same,
    tile_source,
)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_flipped_bits_give_no_wrong_values(tmp_path, entries, tiles, suffix):
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    cached = cache.wrap(tile_source(tiles, suffix=suffix, size=32))
    box = whole((32, 32, 3))
    values = cached[box]
    (path,) = entries(cache)
    entry, key = bytearray(path.read_bytes()), bytes.fromhex(cached.key(box))
    assert entry[STORED] == ENCODED
    for place in range(len(entry)):
        entry[place] ^= 1 << place % 8
        buffer = np.frombuffer(entry, np.uint8)
        decoder = EntryDecoder(cached.encoding.name, partial(cached.encoding.decode, box))
        with contextlib.suppress(EntryError):  # reserved bytes may have any value
            same(decode(buffer, key, values.dtype, values.shape, decoder).values, values)
        entry[place] ^= 1 << place % 8
    entry[-9] ^= 1
    path.write_bytes(entry)
    for _ in range(2):
        same(cached[box], values)
    assert tiles.requests.total() == 2


def test_undecodable_entry_is_fetched_again(tmp_path, entries, tiles):
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    source = tile_source(tiles)
    box = whole((SIZE, SIZE, 3))
    cached = cache.wrap(source)
    values = cached[box]
    first = cached.key(box)
    for data in (b"no image", b"", encoded(image_of("L", 1, 0, 0, 16), "png")):
        stands_for = Encoded(data, cached.encoding.name)
        cache.store(first, values, cache.validator(first), cache.cleared, stands_for)
        before = tiles.requests.total()
        same(cached[box], values)
        assert tiles.requests.total() == before + 1
        same(cached[box], values)
        assert tiles.requests.total() == before + 1


def test_decoding_without_the_encoding_raises(tmp_path, entries, tiles):
    """Versions of biggus that do not know encoded entries raise the same error."""
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    cached = cache.wrap(tile_source(tiles))
    box = whole((SIZE, SIZE, 3))
    values, key = cached[box], bytes.fromhex(cached.key(box))
    buffer = np.frombuffer(entries(cache)[0].read_bytes(), np.uint8)
    assert announced(key, values.nbytes, buffer[:100].tobytes()) == len(buffer)
    with pytest.raises(EntryError, match="encoding"):
        decode(buffer, key, values.dtype, values.shape)


def test_undecodable_chunks_are_not_stored(tmp_path, entries, tiles, monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    box = whole((SIZE, SIZE, 3))
    body = tiles.tile(f"/RGB/1/0/0.jpg?size={SIZE}")
    tiles.replies["*"] = [Reply(body=body[:-300])] * 3
    with pytest.raises(SourceError, match="cannot be decoded"):
        cache.wrap(tile_source(tiles))[box]
    assert entries(cache) == []
    # One broken reply is left: the tile is requested once more, and the good reply is stored.
    same(cache.wrap(tile_source(tiles))[box], tile_source(tiles)[box])
    (path,) = entries(cache)
    assert path.read_bytes().endswith(body)

    make_array(tmp_path)
    chunk = tmp_path / "a.zarr/c/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-9])
    with serving(tmp_path) as server:
        source = ZarrBackend().open(Location(f"{server.url}/a.zarr"), "/")
        with pytest.raises(SourceError):
            cache.wrap(source)[whole((16, 32))]
    assert len(entries(cache)) == 1


@pytest.mark.parametrize("reader", SETTINGS)
def test_revalidated_entries_stay_encoded(tmp_path, entries, tiles, reader):
    tiles.conditional = True
    with Cache(tmp_path / "c", "10 MB", stored="encoded") as cache:
        source = tile_source(tiles, fresh_for=0)
        values = cache.wrap(source)[whole(source.shape)]
    files = [path.read_bytes() for path in entries(cache)]
    other = Cache(cache.path, "10 MB", stored=reader)
    same(other.wrap(source)[whole(source.shape)], values)
    assert other.stats().hits == 4
    assert tiles.requests.total() == 8
    assert kinds(entries, other) == {ENCODED}
    assert [
        path.read_bytes() for path in entries(other)
    ] != files  # they hold the time of the request
    tiles.salt = 1
    changed = other.wrap(source)[whole(source.shape)]
    assert (changed != values).any()
    same(changed, source[whole(source.shape)])


def test_encoded_chunks_of_a_removed_source_are_read(tmp_path, tiles):
    attributes = {"_FillValue": 2.0, "scale_factor": 0.5}
    folder = tmp_path / "served"
    made = zarr.create_array(
        folder / "a.zarr", shape=DATA.shape, dtype="f8", chunks=(16, 32), attributes=attributes
    )
    made[:] = DATA
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    with serving(folder) as server:
        place = f"{server.url}/a.zarr"
        values = biggus.open(place, cache=cache).masked_array()
    assert values.mask.any()
    template = f"{tiles.url}/RGB/{{z}}/{{x}}/{{y}}.jpg?size={SIZE}"
    image = biggus.open(template, zoom=1, tile_size=SIZE, cache=cache).ndarray()
    tiles.stop()
    other = Cache(cache.path, "10 MB")
    for _ in range(2):
        reopened = biggus.open(place, cache=other, retries=0)
        for array in (reopened, pickle.loads(pickle.dumps(reopened))):
            found = array.masked_array()
            same(found.mask, values.mask)
            same(found.compressed(), values.compressed())
    with biggus.offline():
        same(biggus.open(template, zoom=1, tile_size=SIZE, cache=other).ndarray(), image)
        with pytest.raises(OfflineError):
            biggus.open(template, zoom=1, tile_size=SIZE, cache=Cache(tmp_path / "d"))[0].ndarray()


@pytest.mark.parametrize(
    ("one", "other"), [("zstd", "big-endian"), ("2 zlib", "2 Fortran"), ("2 delta", "2 blosc")]
)
def test_codecs_of_a_replaced_array_are_not_used(tmp_path, one, other):
    """The cache has the description of a new array, but chunks of the array that it replaced."""
    folder = tmp_path / "served"
    data = np.tile(DATA, (1, 2))[:32, :64]
    cache = Cache(tmp_path / "c", "10 MB", stored="encoded")
    with serving(folder) as server:
        for name in (one, other):
            shutil.rmtree(folder, ignore_errors=True)
            make_array(folder, data, **ARRAYS[name])
            array = biggus.open(f"{server.url}/a.zarr", cache=cache)
            if name == one:
                same(array.ndarray(), data)
        with biggus.offline():
            reopened = biggus.open(f"{server.url}/a.zarr", cache=cache)
            with pytest.raises(OfflineError):
                reopened.ndarray()
        same(array.ndarray(), data)
