"""The size limit: disk usage stays below it, under load and after damage."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.cache.ledger import NAME
from biggus.sources.wrappers import ObjectSource

pytestmark = pytest.mark.machine

LIMIT = 500_000
CHUNK = 10_000
ON_DISK = 12_288

WRITER = """if True:
    import sys, threading, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    folder, limit, token, chunk, count, threads, verbose = sys.argv[1:]
    limit, chunk, count, threads = int(limit), int(chunk), int(count), int(threads)
    values = np.arange(count * chunk, dtype="u1")
    cache = Cache(folder, limit)
    cached = cache.wrap(ObjectSource(values, chunks=(chunk,), token=token))
    def work(first):
        for i in range(first, count, threads):
            box = slice(i * chunk, (i + 1) * chunk, 1),
            assert (cached[box] == values[box]).all()
            if verbose == "yes":
                print(i, flush=True)
    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    cache.close()
"""


def writer(folder, limit, token, chunk, count, threads=1, verbose="no"):
    """Start a process that reads chunks through a cache, each once."""
    arguments = [str(one) for one in (folder, limit, token, chunk, count, threads, verbose)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE)


def write(cache, token, count=130):
    """Read chunks through a cache, each once; return how many were stored."""
    values = np.arange(count * CHUNK, dtype="u1")
    cached = cache.wrap(ObjectSource(values, chunks=(CHUNK,), token=token))
    for i in range(count):
        box = (slice(i * CHUNK, (i + 1) * CHUNK, 1),)
        assert (cached[box] == values[box]).all()
    cache.close()
    boxes = [(slice(i * CHUNK, (i + 1) * CHUNK, 1),) for i in range(count)]
    return sum(map(cached.cached, boxes))


@pytest.mark.parametrize(
    ("processes", "threads", "chunk", "limit"),
    [(8, 1, 64_000, 8_000_000), (8, 1, 1_000, 2_000_000), (1, 8, 64_000, 8_000_000),
     (1, 8, 1_000, 2_000_000), (2, 4, 1_000_000, 20_000_000)],
)  # fmt: skip
def test_limit_holds_under_concurrent_load(tmp_path, on_disk, processes, threads, chunk, limit):
    folder = tmp_path / "c"
    count = 3 * limit // max(chunk, 4096) // processes
    running = [
        writer(folder, limit, str(number), chunk, count, threads) for number in range(processes)
    ]
    most = 0
    while any(process.poll() is None for process in running):
        most = max(most, on_disk(folder))
    assert [process.returncode for process in running] == [0] * processes
    assert all(process.communicate()[0] == b"" for process in running)
    assert most <= 1.02 * limit + processes * threads * chunk
    stats = Cache(folder, limit).stats()
    assert stats.bytes <= limit
    # Writers that cannot sign off on a busy machine leave small files.
    assert on_disk(folder) <= min(limit, stats.bytes + processes * 8192)
    assert stats.entries > 0


def test_threads_of_one_process_fill_the_cache(tmp_path):
    cache = Cache(tmp_path / "c", LIMIT)
    threads = [threading.Thread(target=write, args=(cache, str(i), 100)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The first threads that end drop chunks of the others, which wait to be stored.
    assert cache.stats().bytes > 0.5 * LIMIT


def test_chunks_are_kept_up_to_the_limit(tmp_path, on_disk):
    folder = tmp_path / "c"
    kept = write(Cache(folder, 2 * LIMIT), "one")
    assert kept * ON_DISK >= 0.85 * 2 * LIMIT
    assert on_disk(folder) <= 2 * LIMIT


def test_smaller_limit_is_enforced(tmp_path, on_disk):
    folder = tmp_path / "c"
    write(Cache(folder, 4 * LIMIT), "one")
    write(Cache(folder, LIMIT), "two", 20)
    assert on_disk(folder) <= LIMIT


def test_descriptions_count_towards_the_limit(tmp_path, on_disk):
    cache = Cache(tmp_path / "c", LIMIT)
    for number in range(1000):
        cache.remember(str(number), {"shape": [number]})
    cache.close()
    assert on_disk(cache.path) <= LIMIT
    assert cache.recall("999") == {"shape": [999]}
    assert cache.recall("0") is None
    assert 10 <= len(list(cache.descriptions())) <= LIMIT // 4096
    assert write(cache, "one") > 20


def test_used_descriptions_are_not_evicted(tmp_path):
    cache = Cache(tmp_path / "c", LIMIT)
    cache.remember("first", {"shape": [1]})
    for number in range(200):
        cache.remember(str(number), {"shape": [number]})
        cache.close()
        assert cache.recall("first") == {"shape": [1]}


# ---- after damage ----


def overwritten(path):
    path.write_bytes(os.urandom(5000))


def truncated_to_nothing(path):
    path.write_bytes(b"")


def deleted(path):
    path.unlink()


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def replaced_by_another_database(path):
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE entries (x)")
    database.close()


def with_another_format(path):
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.close()


def replaced_by_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def without_rows(path):
    execute(path, "DELETE FROM entries")


def without_half_of_the_rows(path):
    execute(path, "DELETE FROM entries WHERE hex(key) > '8'")


def without_sums(path):
    execute(path, "UPDATE shards SET bytes = 0")


def with_texts_for_sums(path):
    execute(path, "UPDATE shards SET bytes = 'many', entries = 'some'")


def with_negative_sums(path):
    execute(path, "UPDATE shards SET bytes = -1000000000")


def with_wrong_keys(path):
    execute(path, "UPDATE entries SET key = CAST(hex(key) AS TEXT)")


def with_texts_for_sizes(path):
    execute(path, "UPDATE entries SET bytes = 'large'")


def without_state(path):
    execute(path, "DELETE FROM state")


def with_a_text_for_the_clock(path):
    execute(path, "UPDATE state SET clock = 'noon'")


def without_a_table(path):
    execute(path, "DROP TABLE shards")


def execute(path, text):
    database = sqlite3.connect(path)
    with database:
        database.execute(text)
    database.close()


HARMS = [
    overwritten,
    truncated_to_nothing,
    deleted,
    truncated,
    replaced_by_another_database,
    with_another_format,
    without_rows,
    without_half_of_the_rows,
    without_sums,
    with_texts_for_sums,
    with_negative_sums,
    with_wrong_keys,
    with_texts_for_sizes,
    without_state,
    with_a_text_for_the_clock,
    without_a_table,
]
if hasattr(os, "mkfifo"):
    HARMS.append(replaced_by_a_pipe)


@pytest.mark.parametrize(
    ("harm", "new_cache"), [(harm, bool(number % 2)) for number, harm in enumerate(HARMS)]
)
def test_limit_holds_after_damage_to_the_index(tmp_path, on_disk, monkeypatch, harm, new_cache):
    monkeypatch.setattr("biggus.cache.sweep._SWEEP_SHARE", 0)  # no pauses
    monkeypatch.setattr("biggus.cache.sweep.SWEEP_SECONDS", 0.001)
    folder = tmp_path / "c"
    cache = Cache(folder, LIMIT)
    write(cache, "one")
    cache._index.end()  # as at the end of a process
    harm(folder / NAME)
    if new_cache:
        del cache
        cache = Cache(folder, LIMIT)
    kept = 0
    for number in range(12):  # enough writes for two sweeps of all shards
        kept = write(cache, f"two {number}")
        assert on_disk(folder) <= 1.02 * LIMIT or number == 0
        if kept > 20 and number:
            break
    assert kept > 20, "the cache is used again"
    assert cache.stats().bytes <= LIMIT


def test_limit_holds_after_the_folder_was_removed(tmp_path, on_disk):
    folder = tmp_path / "c"
    before = os.umask(0)
    try:
        cache = Cache(folder, LIMIT)
        write(cache, "one")
        shutil.rmtree(folder)
        kept = write(cache, "two")
    finally:
        os.umask(before)
    assert on_disk(folder) <= LIMIT
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept > 20
    assert cache.stats().entries == kept
    shutil.rmtree(folder)
    assert cache.stats().entries == 0


def test_chunks_that_cannot_be_counted_are_not_stored(tmp_path, on_disk):
    folder = tmp_path / "c"
    (folder / NAME).mkdir(parents=True)
    assert write(Cache(folder, LIMIT), "one") == 0
    assert on_disk(folder) == 0


def test_limit_holds_with_killed_writers(tmp_path, on_disk):
    folder = tmp_path / "c"
    most = 0
    for number in range(12):
        process = writer(folder, LIMIT, str(number), CHUNK, 400, 2, "yes")
        with process:
            for _ in range(10 + 3 * number):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        most = max(most, on_disk(folder))
    assert most <= 1.02 * LIMIT + CHUNK
    cache = Cache(folder, LIMIT)
    for number in range(3):
        write(cache, f"after {number}", 50)
    assert on_disk(folder) <= LIMIT
    found = sum(1 for _ in cache.files.keys())  # noqa: SIM118 - not a mapping
    assert cache.stats().entries == found
    assert cache.stats().bytes > 0.8 * LIMIT, "the grants of the killed writers were returned"
    assert list((folder / "entries").glob("*/*.*")) == []
    # The writer of this process, and some that were killed before they were granted anything.
    assert len(list((folder / "writers").iterdir())) <= 6
