"""Tasks do not run far ahead of a slow one, as their results would pile up."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sources import Failing
from waiting import steady

import biggus
from biggus.engine.running import WAITING_TASKS
from biggus.indexing.reduction_blocks import BLOCK
from biggus.testing import ArraySource

ROW = BLOCK


class Gated(Failing):
    """Reads of the first row wait until a gate opens; reads of others are counted."""

    def __init__(self, shape, io_bound=False, dtype="u1"):
        super().__init__(shape, -1, io_bound)
        self.dtype = np.dtype(dtype)
        self.gate = threading.Event()
        self.others = 0
        self.counting = threading.Lock()

    def __getitem__(self, box):
        if box[0].start == 0:
            assert self.gate.wait(30)
        else:
            with self.counting:
                self.others += 1
        return super().__getitem__(box)


class Background:
    """An evaluation in another thread, with the options of this one."""

    def __init__(self, evaluate):
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(contextvars.copy_context().run, evaluate)

    def result(self):
        with self._pool:
            return self._future.result(30)


@pytest.mark.parametrize("memory", ["120 MB", "240 MB"])
@pytest.mark.parametrize("io_bound", [False, True])
def test_few_tasks_run_ahead_of_the_first(io_bound, memory):
    source = Gated((100, ROW), io_bound)
    # The partial result of each row is as large as the result.
    largest = biggus.ArrayAdapter(source).max(axis=0)
    with biggus.set_options(memory=memory, workers=3):
        running = Background(largest.ndarray)
        ahead = steady(lambda: source.others)
        assert ahead * ROW < int(memory[:-3]) * 10**6
        assert ahead <= 16 + 2 * WAITING_TASKS
        source.gate.set()
        assert (running.result() == 99).all()
    assert source.others == 99


def test_many_small_results_wait_for_the_first():
    source = Gated((100, ROW))
    with biggus.set_options(workers=3):
        running = Background(biggus.ArrayAdapter(source).max().ndarray)
        assert 10 <= steady(lambda: source.others) <= 16 + 2 * 3
        source.gate.set()
        assert running.result() == 99


@pytest.mark.parametrize("threads", [2, 16])
def test_executor_gets_no_more_tasks_than_fit_in_memory(threads):
    class Counting(Failing):
        most = now = 0
        counting = threading.Lock()

        def __getitem__(self, box):
            with self.counting:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.02)
            with self.counting:
                self.now -= 1
            return super().__getitem__(box)

    source = Counting((12, ROW), -1)
    a = biggus.ArrayAdapter(source)
    peak = biggus.plan([a.max()[None]]).peak_bytes // biggus.options.current().workers
    with ThreadPoolExecutor(threads) as pool:
        for workers, fit, most in [(1, 10, 2), (8, 3, 3), (4, 10, 8)]:
            source.most = 0
            memory = fit * peak + peak // 2
            with biggus.set_options(executor=pool, workers=workers, memory=memory):
                assert a.max().ndarray() == 11
            assert source.most <= min(most, threads)


def test_kept_results_do_not_pile_up_behind_a_computed_one(cache, monkeypatch):
    shape = (4, ROW // 4)
    tiles = [ArraySource(np.full(shape, n, "u4"), shape, token=f"{n}") for n in range(40)]
    first = Gated(shape, dtype="u4")
    first.token, first.chunks, first.state = "first", shape, lambda: b"one"
    mosaic = biggus.LinearMosaic(list(map(biggus.ArrayAdapter, [first, *tiles])), axis=0)
    loaded = []
    load = type(cache).load_bytes
    monkeypatch.setattr(
        type(cache), "load_bytes", lambda self, key: loaded.append(key) or load(self, key)
    )
    with biggus.set_options(cache=cache, workers=2, memory="200 MB"):
        biggus.LinearMosaic(list(map(biggus.ArrayAdapter, tiles)), axis=0).max(axis=0).ndarray()
        loaded.clear()
        running = Background(mosaic.max(axis=0).ndarray)
        assert steady(lambda: len(loaded)) <= 16 + 2 * 2 + 2  # the first is looked up too
        first.gate.set()
        assert (running.result() == 39).all()
    assert len(loaded) >= 40
