"""Concurrent reads of one chunk: one thread fetches it, and the others wait or take over."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.cache import Cache
from biggus.errors import SourceError
from biggus.sources.base import read


def test_source_lock_is_held_for_source_reads_only(cache, counting, box):
    lock = threading.Lock()

    class Locked(counting):
        def __getitem__(self, requested):
            assert lock.locked()
            return super().__getitem__(requested)

    cached = cache.wrap(Locked(np.arange(8), (4,), lock=lock))
    assert cached.lock is None
    assert read(cached, box((0, 8))).tolist() == list(range(8))
    with lock:
        assert read(cached, box((0, 8))).tolist() == list(range(8))


def test_concurrent_reads_of_one_chunk_fetch_it_once(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(16) as pool:
        reads = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(16)]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        results = [r.result(30) for r in reads]
    assert len(source.fetched) == 1
    for number, values in enumerate(results):
        assert values.tolist() == [0, 1, 2, 3]
        values[...] = number  # each reader has its own values
    assert [int(values[0]) for values in results] == list(range(16))


def test_different_chunks_are_fetched_concurrently(cache, counting, box):
    source = counting(np.arange(8), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(cached.__getitem__, box(b)) for b in ((0, 4), (4, 8))]
        # Both reads are in the source at the same time.
        assert source.reading.acquire(timeout=120)
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        assert [r.result(30)[0] for r in reads] == [0, 4]


def test_two_caches_of_one_folder_fetch_a_chunk_once(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event())
    both = [cache.wrap(source), Cache(cache.path).wrap(source)]
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(c.__getitem__, box((0, 4))) for c in both]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        assert [r.result(30).tolist() for r in reads] == [[0, 1, 2, 3]] * 2
    assert len(source.fetched) == 1


def test_all_waiting_readers_get_the_error(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event(), failure=OSError("gone"))
    cached = cache.wrap(source)
    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(8)]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        for r in reads:
            with pytest.raises(SourceError, match="gone"):
                r.result(30)
    source.failure = None
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]


def test_waiting_reader_takes_over_after_an_interrupt(cache, counting, box):
    class Interrupted(counting):
        def __getitem__(self, requested):
            values = super().__getitem__(requested)
            if len(self.fetched) == 1:
                raise KeyboardInterrupt
            return values

    source = Interrupted(np.arange(4), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cached.__getitem__, box((0, 4)))
        assert source.reading.acquire(timeout=120)
        others = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(3)]
        source.gate.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(30)
        assert [r.result(30).tolist() for r in others] == [[0, 1, 2, 3]] * 3
    assert len(source.fetched) == 2


def test_abandoned_read_does_not_fail_a_later_read(cache, counting, box):
    started, ended = threading.Event(), threading.Event()

    class Failing(counting):
        def __getitem__(self, requested):
            values = super().__getitem__(requested)
            if requested[0].start == 0:
                assert started.wait(120)
                raise OSError("this ends the evaluation")
            if not started.is_set():
                started.set()
                assert ended.wait(120)
                raise OSError("nobody waits for this any longer")
            return values

    source = Failing(np.arange(8.0), (4,), io_bound=True)
    array = biggus.ArrayAdapter(source, cache=cache)
    with pytest.raises(SourceError, match="this ends"):
        array.ndarray()
    assert array[4:].ndarray().tolist() == [4.0, 5.0, 6.0, 7.0]
    ended.set()
    assert len(source.fetched) == 3


def test_source_may_read_itself_through_its_cache(cache, counting, box):
    class Recursive(counting):
        def __getitem__(self, requested):
            if not self.fetched:
                self.fetched.append(requested)
                return cached[requested] + 1
            return super().__getitem__(requested)

    cached = cache.wrap(Recursive(np.arange(4), (4,)))
    assert cached[box((0, 4))].tolist() == [1, 2, 3, 4]
