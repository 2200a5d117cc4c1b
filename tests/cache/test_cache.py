"""The cache folder: limit, eviction, permissions, failures, descriptions and statistics."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from number_sources import WHOLE, fill, numbers

from biggus.cache import Cache, default_cache
from biggus.cache.cache import DEFAULT_SIZE
from biggus.errors import BiggusError, CacheError, OptionError
from biggus.options import parse_size
from biggus.sources.wrappers import ObjectSource


def test_least_recently_used_chunks_are_evicted_first(tmp_path, box):
    with Cache(tmp_path / "c", 10**6) as cache:
        source = ObjectSource(np.zeros(2 * 10**6, "u1"), chunks=(100_000,), token="zeros")
        cached = cache.wrap(source)
        first = box((0, 1))
        for number in range(20):
            cached[box((number * 100_000, number * 100_000 + 1))]
            cached[first]
        cache.close()
        present = [
            cached.cached(box((number * 100_000, number * 100_000 + 1))) for number in range(20)
        ]
        kept = sum(present)
        assert 6 <= kept <= 9
        assert present[0], "used all the time"
        assert present == [True] + [False] * (20 - kept) + [True] * (kept - 1)
        stats = cache.stats()
        assert stats.entries == kept
        assert stats.bytes <= stats.size_limit == 10**6
        on_disk = sum(p.stat().st_size for p in (tmp_path / "c").rglob("*") if p.is_file())
        assert on_disk <= 1.1 * 10**6


def test_use_in_another_process_delays_eviction(tmp_path, box):
    path = tmp_path / "c"
    source = ObjectSource(np.zeros(9 * 10**5, "u1"), chunks=(10**5,), token="zeros")
    with Cache(path, 10**6) as cache:
        for number in range(8):
            cache.wrap(source)[box((number * 10**5, number * 10**5 + 1))]
    code = """if True:
        import sys, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        source = ObjectSource(np.zeros(9 * 10**5, "u1"), chunks=(10**5,), token="zeros")
        cached = Cache(sys.argv[1], 10**6).wrap(source)
        cached[slice(0, 1, 1),]  # and exits without closing the cache
    """
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with Cache(path, 10**6) as cache:
        other = ObjectSource(np.zeros(3 * 10**5, "u1"), chunks=(10**5,), token="other")
        cache.wrap(other)[box((0, 3 * 10**5))]
        cache.close()
        assert cache.wrap(source).cached(box((0, 1)))
        assert not cache.wrap(source).cached(box((10**5, 10**5 + 1)))


def test_chunk_larger_than_the_limit_is_not_stored(tmp_path, box, entries):
    with Cache(tmp_path / "c", 1000) as cache:
        source = ObjectSource(np.arange(1000), token="large")
        assert cache.wrap(source)[box((0, 1000))].sum() == 499500
        small = ObjectSource(np.arange(100), token="small")
        assert cache.wrap(small)[box((0, 100))].sum() == 4950
        cache.close()
        assert entries(cache) == []


def test_folder_is_private_to_its_owner(tmp_path):
    before = os.umask(0)
    try:
        Cache(tmp_path / "deep" / "er")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o700


def test_unusable_folder_raises_one_line_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nothing/here", "", "a\0b"):
        with pytest.raises(CacheError) as caught:
            Cache(path)
        assert isinstance(caught.value, BiggusError)
        assert "\n" not in str(caught.value)
        assert "cache folder" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_new_cache_in_read_only_folder_raises(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CacheError, match="ermission"):
        Cache(tmp_path / "c")


def test_read_succeeds_when_storing_fails(cache, counting, entries, caplog):
    source = counting(np.arange(1000.0), (100,))
    (cache.path / "entries").write_text("in the way")
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        for _ in range(2):
            assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
        cache.close()
    assert "could not be stored" in caplog.text
    assert 10 <= len(source.fetched) <= 20, "chunks that wait to be stored are read from memory"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
@pytest.mark.parametrize("most", [10_000, 1_000_000])
def test_read_succeeds_when_files_may_not_grow(tmp_path, entries, most):
    code = """if True:
        import resource, sys, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        cache = Cache(sys.argv[1])
        most = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        values = np.arange(2_000_000)
        cached = cache.wrap(ObjectSource(values, token="n"), (200_000,))
        for _ in range(2):
            assert (cached[slice(0, 2_000_000, 1),] == values).all()
        cache.close()
    """
    # -B: modules that Python compiles under the limit would be cut off at it.
    command = [sys.executable, "-B", "-c", code, str(tmp_path / "c"), str(most)]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert b"could not be stored" in done.stderr
    assert entries(Cache(tmp_path / "c")) == []
    assert [p for p in (tmp_path / "c" / "entries").rglob("*") if p.is_file()] == []


def test_read_succeeds_when_the_index_cannot_be_written(tmp_path, counting, caplog):
    (tmp_path / "c" / "index.db").mkdir(parents=True)
    cache = Cache(tmp_path / "c")
    source = counting(np.arange(1000.0), (100,))
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
        cache.close()
    assert "index could not be updated" in caplog.text
    assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
    # Uncounted chunks are not stored; chunks that wait to be stored are read from memory.
    assert len(source.fetched) in {10, 20}
    with pytest.raises(CacheError, match="unable to open"):
        cache.stats()
    (tmp_path / "c" / "index.db").rmdir()
    assert cache.stats().entries in {0, 10}, "the chunks that were stored later"


def test_invalid_size_raises(tmp_path):
    for size in ("plenty", 0, -5, "0 GB"):
        with pytest.raises(OptionError):
            Cache(tmp_path / "c", size)


def test_default_cache_follows_the_environment(tmp_path, monkeypatch):
    default_cache.cache_clear()
    monkeypatch.setenv("BIGGUS_CACHE_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("BIGGUS_CACHE_SIZE", "7 MB")
    try:
        cache = default_cache()
        assert cache is default_cache()
        assert cache.path == tmp_path / "here"
        assert cache.size_limit == 7_000_000
        monkeypatch.delenv("BIGGUS_CACHE_SIZE")
        default_cache.cache_clear()
        assert default_cache().size_limit == parse_size(DEFAULT_SIZE)
    finally:
        default_cache.cache_clear()


def test_default_folder_is_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BIGGUS_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    path = Cache().path
    assert path.is_relative_to(tmp_path)
    assert "biggus" in path.parts[-1].lower()


def test_stats(cache):
    assert cache.stats().entries == 0
    cached = fill(cache)
    cached[WHOLE]
    stats = cache.stats()
    assert (stats.entries, stats.hits, stats.misses) == (10, 10, 10)
    assert stats.path == cache.path
    assert stats.size_limit == 10**9
    assert 10 * 800 < stats.bytes < 10 * 2000 + 200_000
    with pytest.raises(AttributeError):
        stats.hits = 0


def test_clear(cache, entries):
    cached = fill(cache)
    cache.remember("numbers", {"a": 1})
    cache.clear()
    assert entries(cache) == []
    assert cache.stats().entries == 0
    assert not cached.cached(WHOLE)
    assert cache.recall("numbers") is None
    cached[WHOLE]
    assert cache.stats().entries == 10


def test_descriptions_are_remembered(cache, tmp_path):
    assert cache.recall("a") is None
    cache.remember("a", {"shape": [1, 2], "name": "ü"})
    cache.remember("b", {})
    cache.remember("a", {"shape": [3]})
    again = Cache(cache.path)
    assert again.recall("a") == {"shape": [3]}
    assert dict(again.descriptions()) == {"a": {"shape": [3]}, "b": {}}


def test_descriptions_stay_when_chunks_are_evicted(tmp_path):
    with Cache(tmp_path / "c", 50_000) as cache:
        cache.remember("a", {"shape": [1]})
        for number in range(30):
            fill(cache, str(number))
        cache.close()
        assert not cache.wrap(numbers("0")).cached(WHOLE)
        assert cache.recall("a") == {"shape": [1]}


def test_damaged_description_is_ignored(cache, caplog):
    cache.remember("a", {"scale": 100})
    (path,) = (cache.path / "descriptions").glob("??/*")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"100", b"900"))
    assert cache.recall("a") is None
    assert list(cache.descriptions()) == []
    assert "not used" in caplog.text


def test_repr_names_folder_and_limit(cache):
    assert repr(cache) == f"Cache({str(cache.path)!r}, size_limit=1000000000)"


def test_import_loads_no_optional_packages():
    code = "import biggus.cache, sys; assert not {'diskcache', 'platformdirs'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_long_validators(cache):
    """The validator of a partial result of many chunks names the state of each chunk."""
    key = "ab" * 20
    for size in (0, 10, 5000, 200_000):
        validator = bytes(range(256)) * (size // 256) + b"v"
        assert cache.store(key, np.arange(3), validator, cache.cleared)
        assert cache.validator(key) == validator
