"""The chunk memory: which chunks stay in it, and which are evicted."""

import contextvars
import os
import threading

import numpy as np
import pytest

import biggus
from biggus.sources.chunk_memory import ChunkMemory

CHUNK = 1000
ROOM = 100


@pytest.fixture
def memory():
    with biggus.set_options(chunk_memory=ROOM * CHUNK):
        yield ChunkMemory()


def read(memory, keys):
    """Read chunks of `CHUNK` bytes each; return how many had to be decoded."""
    decoded = 0
    for key in keys:
        if memory.find(key) is None:
            decoded += 1
            memory.keep(key, np.empty(CHUNK, "u1"), b"validator")
    assert memory.stats().nbytes <= memory.limit
    return decoded


def test_rows_that_fit_are_decoded_once(memory):
    for row in range(10):
        keys = [(row, at) for at in range(ROOM // 2)]
        assert [read(memory, keys) for _ in range(5)] == [len(keys), 0, 0, 0, 0]


def test_row_that_fills_the_memory_is_decoded_at_most_twice(memory):
    for row in range(10):
        keys = [(row, at) for at in range(ROOM)]
        assert sum(read(memory, keys) for _ in range(50)) <= 2 * ROOM + 2


@pytest.mark.parametrize("times", [2, 4, 10])
def test_part_of_a_loop_that_does_not_fit_stays(memory, times):
    for row in range(3):
        keys = [(row, at) for at in range(times * ROOM)]
        decoded = [read(memory, keys) for _ in range(8)]
        assert decoded[-1] <= len(keys) - 0.9 * ROOM


def test_single_scan_evicts_no_repeated_chunks(memory):
    often = [("often", at) for at in range(ROOM - 10)]
    read(memory, often)
    read(memory, often)
    assert read(memory, [("once", at) for at in range(50 * ROOM)]) == 50 * ROOM
    assert read(memory, often) == 0


def test_chunks_no_longer_used_are_evicted(memory):
    before = [("before", at) for at in range(ROOM)]
    assert sum(read(memory, before) for _ in range(3)) == ROOM
    now = [("now", at) for at in range(ROOM)]
    assert sum(read(memory, now) for _ in range(50)) <= 2 * ROOM + 2


def test_kept_values_are_read_only(memory):
    values = np.ma.masked_equal(np.arange(3), 1)
    memory.keep("key", values, b"validator")
    held = memory.find("key").values
    for array in (held.data, held.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    mine = np.arange(3)
    memory.keep("copy", mine, b"validator", copy=True)
    mine[0] = 9
    assert memory.find("copy").values.tolist() == [0, 1, 2]


def test_allowing_lowers_the_limit(memory):
    read(memory, range(ROOM))
    with memory.allowing(10 * CHUNK), memory.allowing(20 * CHUNK):
        assert memory.stats().chunks == 10
        read(memory, range(ROOM))
        with memory.allowing(-1):
            assert memory.stats().nbytes == memory.limit == 0
            assert not memory.keep("key", np.arange(3), b"validator")
    assert memory.limit == ROOM * CHUNK


def test_chunks_without_a_validator_are_not_kept(memory):
    assert not memory.keep("key", np.arange(3), None)
    assert memory.find("key") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_starts_with_an_empty_memory(memory):
    memory.keep("key", np.arange(3), b"validator")
    with memory._lock:
        child = os.fork()
        if not child:
            os._exit(3 if memory.find("key") is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert memory.find("key") is not None


def test_concurrent_threads_stay_within_the_limit(memory):
    def work(seed):
        rng = np.random.default_rng(seed)
        read(memory, rng.integers(0, 3 * ROOM, 3000).tolist())

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work, seed))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = memory.stats()
    assert stats.nbytes == stats.chunks * CHUNK <= ROOM * CHUNK
    assert stats.hits + stats.misses == 4 * 3000
