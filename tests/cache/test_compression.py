"""Compressed entries: same values, and smaller; values that compress badly are stored plain."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.cache.entry import BLOSC, EntryError, announced, decode, encode
from biggus.errors import OptionError
from biggus.sources.wrappers import ObjectSource

pytest.importorskip("numcodecs")

KEY = bytes(range(20))
RANDOM = np.random.default_rng(1)
SMOOTH = np.linspace(280, 290, 50_000)
STORED = 33
"""Offset of the byte in an entry that says how its values are stored."""

VALUES = [
    SMOOTH,
    SMOOTH.astype(">f4").reshape(100, 500),
    np.arange(50_000).astype("i2"),
    np.zeros(100_000, "?"),
    np.full((200, 300), "abc"),
    np.zeros(3000, [("a", "i4"), ("b", "f8")]),
    np.ma.masked_less(SMOOTH, 285),
    np.arange(10**5).astype("M8[s]"),
    np.zeros(5000, "c16").T,
]


def entry_bytes(values, compression):
    return np.frombuffer(b"".join(encode(values, b"v", KEY, compression)), np.uint8).copy()


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("values", VALUES, ids=lambda values: str(values.dtype))
def test_compressed_values_round_trip(values, compression):
    buffer = entry_bytes(values, compression)
    assert buffer[STORED] == BLOSC
    assert len(buffer) < 0.85 * len(entry_bytes(values, None))
    assert announced(KEY, values.nbytes, buffer[:100].tobytes()) == len(buffer)
    found = decode(buffer, KEY, values.dtype, values.shape)
    assert found.validator == b"v"
    assert found.values.dtype == values.dtype
    assert found.values.flags.writeable
    np.testing.assert_array_equal(np.ma.getmaskarray(found.values), np.ma.getmaskarray(values))
    assert np.asarray(found.values).tobytes() == np.ascontiguousarray(values).tobytes()


@pytest.mark.parametrize("values", [RANDOM.random(10_000), np.empty(0), np.array(7.0)], ids=str)
def test_incompressible_values_are_stored_plain(values):
    np.testing.assert_array_equal(entry_bytes(values, "zstd"), entry_bytes(values, None))


def test_damaged_entry_raises():
    buffer = entry_bytes(SMOOTH, "zstd")
    for place in (STORED, 200, len(buffer) - 1):
        buffer[place] ^= 1
        with pytest.raises(EntryError):
            decode(buffer, KEY, SMOOTH.dtype, SMOOTH.shape)
        buffer[place] ^= 1
    with pytest.raises(EntryError):
        announced(KEY, SMOOTH.nbytes // 10**6, buffer[:100].tobytes())


def read(cache, token="smooth"):
    cached = cache.wrap(ObjectSource(SMOOTH, token=token), (5000,))
    assert (cached[slice(0, 50_000, 1),] == SMOOTH).all()
    return cached


def test_compressed_cache_is_smaller_and_read_by_plain_caches(tmp_path):
    with Cache(tmp_path / "c", "10 MB", compression="zstd") as cache:
        read(cache)
    plain = Cache(tmp_path / "d", "10 MB")
    read(plain)
    assert cache.stats().bytes < 0.8 * plain.stats().bytes
    other = Cache(tmp_path / "c", "10 MB")
    read(other)
    assert other.stats().hits == 10
    assert pickle.loads(pickle.dumps(cache)).compression == "zstd"


def test_compressed_chunks_are_fetched_again_without_numcodecs(tmp_path):
    with Cache(tmp_path / "c", "10 MB", compression="lz4") as cache:
        read(cache)
    code = """if True:
        import sys, numpy as np
        sys.modules["numcodecs"] = None
        from biggus.cache import Cache
        from biggus.errors import MissingDependencyError
        from biggus.sources.wrappers import ObjectSource
        values = np.linspace(280, 290, 50_000)
        cache = Cache(sys.argv[1], "10 MB")
        cached = cache.wrap(ObjectSource(values, token="smooth"), (5000,))
        assert (cached[slice(0, 50_000, 1),] == values).all()
        print(cache.stats().hits)
        try:
            Cache(sys.argv[1], compression="lz4")
        except MissingDependencyError as error:
            print(error)
    """
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    hits, message = done.stdout.splitlines()
    assert hits == "0"
    assert message.startswith("compressing what is cached needs the package zarr")


def test_unknown_compression_raises(tmp_path):
    with pytest.raises(OptionError, match="one of lz4, zstd or None, not 'gzip'"):
        Cache(tmp_path / "c", compression="gzip")


def test_fsync_option_syncs_files_and_folders(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), fsync(number)))
    read(Cache(tmp_path / "c", "10 MB"))
    assert not synced
    cache = Cache(tmp_path / "d", "10 MB", fsync=True)
    read(cache)
    folders = os.name == "posix"
    assert len(synced) == (2 if folders else 1) * 10
    assert pickle.loads(pickle.dumps(cache)).fsync
