"""The folder: what is in it is bounded, checked, private, and shared by processes."""

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from biggus.cache import Cache, default_cache
from biggus.cache.cache import DEFAULT_SIZE
from biggus.errors import BiggusError, CacheError, OptionError
from biggus.options import parse_size
from biggus.sources.wrappers import ObjectSource

WHOLE = (slice(0, 1000, 1),)


def numbers(token="numbers", count=1000):
    return ObjectSource(np.arange(count, dtype="f8"), chunks=(100,), token=token)


def fill(cache, token="numbers"):
    cached = cache.wrap(numbers(token))
    cached[WHOLE]
    return cached


# ---- what is damaged ----


@pytest.mark.parametrize("region", ["magic", "format", "checksum", "header", "values", "any"])
def test_flipped_bits_are_fetched_again(cache, counting, box, entries, region):
    source = counting(np.arange(1000.0), (100,))
    cached = cache.wrap(source)
    cached[WHOLE]
    start, stop = {
        "magic": (0, 6), "format": (6, 8), "checksum": (8, 12), "header": (12, 80),
        "values": (-800, 0), "any": (0, 0),
    }[region]  # fmt: skip
    chance = random.Random(region)
    for path in entries(cache):
        data = bytearray(path.read_bytes())
        at = chance.randrange(start % len(data), stop % len(data) or len(data))
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 20
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 20


@pytest.mark.parametrize("content", [b"", b"biggus", b"\x80\x04.", bytes(5000)])
def test_other_content_is_fetched_again(cache, counting, entries, caplog, content):
    source = counting(np.arange(1000.0), (1000,))
    cached = cache.wrap(source)
    cached[WHOLE]
    (path,) = entries(cache)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert cached[WHOLE].tolist() == source.values.tolist()
    assert "damaged" in caplog.text
    assert len(source.fetched) == 2


def test_swapped_entries_are_fetched_again(cache, counting, entries):
    source = counting(np.arange(1000.0), (500,))
    cached = cache.wrap(source)
    cached[WHOLE]
    one, other = entries(cache)
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 4


def test_lost_entries_are_fetched_again(cache, counting, entries):
    source = counting(np.arange(1000.0), (500,))
    cached = cache.wrap(source)
    cached[WHOLE]
    cache.close()
    for path in entries(cache):
        path.unlink()
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 4
    assert cache.stats().entries == 2


# ---- size ----


def test_the_least_recently_used_goes_first(tmp_path, box):
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


def test_a_use_in_another_process_counts(tmp_path, box):
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
        cached[slice(0, 1, 1),]  # and ends without a word
    """
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with Cache(path, 10**6) as cache:
        other = ObjectSource(np.zeros(3 * 10**5, "u1"), chunks=(10**5,), token="other")
        cache.wrap(other)[box((0, 3 * 10**5))]
        cache.close()
        assert cache.wrap(source).cached(box((0, 1)))
        assert not cache.wrap(source).cached(box((10**5, 10**5 + 1)))


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path, box, entries):
    with Cache(tmp_path / "c", 1000) as cache:
        source = ObjectSource(np.arange(1000), token="large")
        assert cache.wrap(source)[box((0, 1000))].sum() == 499500
        small = ObjectSource(np.arange(100), token="small")
        assert cache.wrap(small)[box((0, 100))].sum() == 4950
        cache.close()
        assert entries(cache) == []


def test_entries_that_were_written_without_a_row_are_found_and_counted(tmp_path, entries):
    cache = Cache(tmp_path / "c")
    fill(cache, "one")
    cache.close()
    fill(cache, "two")
    (cache.path / "index.db").unlink()  # and with it all rows
    again = Cache(cache.path)
    cached = again.wrap(numbers("one"))
    assert cached.cached(WHOLE)
    cached[WHOLE]
    assert again.stats().entries >= 10
    assert len(entries(again)) == 20


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b""])
def test_a_damaged_index_is_made_anew(tmp_path, caplog, content):
    cache = Cache(tmp_path / "c")
    fill(cache)
    cache.close()
    (cache.path / "index.db").write_bytes(content)
    again = Cache(cache.path)
    cached = fill(again)
    assert again.stats().entries == 10
    assert again.stats().hits == 10
    assert cached.cached(WHOLE)


def test_an_index_that_is_damaged_in_use_fails_no_read(tmp_path, caplog):
    cache = Cache(tmp_path / "c")
    fill(cache, "one")
    cache.close()
    path = cache.path / "index.db"
    path.write_bytes(os.urandom(path.stat().st_size))
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert fill(cache, "two")[WHOLE].sum() == 499500
        cache.close()
        cache.close()
    assert "index" in caplog.text
    assert cache.stats().entries == 20


# ---- the folder ----


def test_the_folder_is_the_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        Cache(tmp_path / "deep" / "er")
    finally:
        os.umask(before)
    assert (tmp_path / "deep" / "er").stat().st_mode & 0o777 == 0o700


def test_an_unusable_folder_is_an_error_of_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nothing/here", "", "a\0b"):
        with pytest.raises(CacheError) as caught:
            Cache(path)
        assert isinstance(caught.value, BiggusError)
        assert "\n" not in str(caught.value)
        assert "cache folder" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CacheError, match="ermission"):
        Cache(tmp_path / "c")


def test_storing_that_fails_fails_no_read(cache, counting, entries, caplog):
    source = counting(np.arange(1000.0), (100,))
    (cache.path / "entries").write_text("in the way")
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        for _ in range(2):
            assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
        cache.close()
    assert "could not be stored" in caplog.text
    assert 10 <= len(source.fetched) <= 20, "what waits to be stored is read meanwhile"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
@pytest.mark.parametrize("most", [10_000, 1_000_000])
def test_a_disk_that_takes_no_more_fails_no_read(tmp_path, entries, most):
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
    command = [sys.executable, "-c", code, str(tmp_path / "c"), str(most)]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert b"could not be stored" in done.stderr
    assert entries(Cache(tmp_path / "c")) == []
    assert [p for p in (tmp_path / "c" / "entries").rglob("*") if p.is_file()] == []


def test_an_index_that_cannot_be_written_fails_no_read(tmp_path, counting, caplog):
    (tmp_path / "c" / "index.db").mkdir(parents=True)
    cache = Cache(tmp_path / "c")
    source = counting(np.arange(1000.0), (100,))
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
        cache.close()
    assert "index could not be updated" in caplog.text
    assert cache.wrap(source)[WHOLE].tolist() == source.values.tolist()
    # Nothing is stored that is not counted; what waits to be is read meanwhile.
    assert len(source.fetched) in {10, 20}
    with pytest.raises(CacheError, match="unable to open"):
        cache.stats()
    (tmp_path / "c" / "index.db").rmdir()
    assert cache.stats().entries in {0, 10}, "those that are stored later"


def test_a_bad_size_is_an_error(tmp_path):
    for size in ("plenty", 0, -5, "0 GB"):
        with pytest.raises(OptionError):
            Cache(tmp_path / "c", size)


def test_the_default_cache_follows_the_environment(tmp_path, monkeypatch):
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


def test_without_a_setting_the_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.delenv("BIGGUS_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    path = Cache().path
    assert path.is_relative_to(tmp_path)
    assert "biggus" in path.parts[-1].lower()


# ---- stats, clear, descriptions ----


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


def test_descriptions_outlive_the_chunks(tmp_path):
    with Cache(tmp_path / "c", 50_000) as cache:
        cache.remember("a", {"shape": [1]})
        for number in range(30):
            fill(cache, str(number))
        cache.close()
        assert not cache.wrap(numbers("0")).cached(WHOLE)
        assert cache.recall("a") == {"shape": [1]}


def test_a_damaged_description_is_none(cache, caplog):
    cache.remember("a", {"scale": 100})
    (path,) = (cache.path / "descriptions").glob("??/*")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"100", b"900"))
    assert cache.recall("a") is None
    assert list(cache.descriptions()) == []
    assert "not used" in caplog.text


def test_repr_names_folder_and_limit(cache):
    assert repr(cache) == f"Cache({str(cache.path)!r}, size_limit=1000000000)"


# ---- processes ----

HAMMER = """if True:
    import random, sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    path, seed = sys.argv[1], int(sys.argv[2])
    values = np.arange(40_000).reshape(200, 200)
    chance = random.Random(seed)
    cache = Cache(path, "150 kB")
    cached = cache.wrap(ObjectSource(values, token="hammered"), (20, 20))
    for turn in range(150):
        i, j = chance.randrange(190), chance.randrange(190)
        box = slice(i, i + 10, 1), slice(j, j + 10, 1)
        assert (cached[box] == values[box]).all()
        if chance.random() < 0.05:
            cache.close()
        if chance.random() < 0.005:
            cache.clear()
    print("done")
"""


@pytest.mark.machine
def test_eight_processes_on_one_cache(tmp_path):
    command = [sys.executable, "-W", "error", "-c", HAMMER, str(tmp_path / "c")]
    running = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for seed in range(8)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert out == b"done\n"
        assert err == b""
        assert process.returncode == 0
    with Cache(tmp_path / "c", "150 kB") as cache:
        values = np.arange(40_000).reshape(200, 200)
        cached = cache.wrap(ObjectSource(values, token="hammered"), (20, 20))
        whole = slice(0, 200, 1), slice(0, 200, 1)
        assert (cached[whole] == values).all()
        assert cache.stats().bytes <= 150_000


WRITER = """if True:
    import itertools, sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    cache = Cache(sys.argv[1])
    print("ready", flush=True)
    for turn in itertools.count():
        source = ObjectSource(np.arange(200_000) % 251, chunks=(20_000,), token=str(turn % 5))
        cache.wrap(source)[slice(0, 200_000, 1),]
        cache.clear() if turn % 7 == 6 else cache.close()
"""


@pytest.mark.machine
def test_a_killed_writer_leaves_nothing_wrong(tmp_path, counting):
    for number in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "c")], stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.02 * number)
            process.send_signal(signal.SIGKILL)
    cache = Cache(tmp_path / "c")
    values = np.arange(200_000) % 251
    for token in range(5):
        source = counting(values, (20_000,), token=str(token))
        source.now = b"token"
        assert (cache.wrap(source)[slice(0, 200_000, 1),] == values).all()
    stats = cache.stats()
    assert stats.entries == 50
    cache.clear()
    assert [p for p in (cache.path / "entries").rglob("*") if p.is_file()] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_goes_on_with_the_cache(tmp_path):
    code = """if True:
        import os, sys, threading, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        cache = Cache(sys.argv[1])
        cached = cache.wrap(ObjectSource(np.arange(1000), token="forked"), (100,))
        cached[slice(0, 500, 1),]
        cache.close()
        with cache._index._lock, cache._index._busy:  # as if a thread of the parent held them
            child = os.fork()
        if child == 0:
            assert cached[slice(0, 1000, 1),].sum() == 499500
            assert cache.stats().entries == 10
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert cached[slice(0, 1000, 1),].sum() == 499500
        assert cache.stats().entries == 10
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"done\n", done.stderr


def test_workers_of_multiprocessing_write_down_what_they_stored(tmp_path):
    code = """if True:
        import sys, multiprocessing, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        cached = Cache(sys.argv[1]).wrap(ObjectSource(np.arange(1000), token="w"), (100,))
        def work():
            cached[slice(0, 1000, 1),]
        worker = multiprocessing.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
        assert worker.exitcode == 0
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")], check=True, timeout=60)
    database = sqlite3.connect(tmp_path / "c" / "index.db")
    assert database.execute("SELECT COUNT(*) FROM entries").fetchall() == [(10,)]
    database.close()


def test_importing_loads_no_database():
    code = "import biggus.cache, sys; assert not {'diskcache', 'platformdirs'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_validator_may_be_long(cache):
    """That of many chunks, such as a partial result is of, names the state of each."""
    key = "ab" * 20
    for size in (0, 10, 5000, 200_000):
        validator = bytes(range(256)) * (size // 256) + b"v"
        assert cache.store(key, np.arange(3), validator, cache.cleared)
        assert cache.validator(key) == validator
