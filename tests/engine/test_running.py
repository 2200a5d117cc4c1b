"""The first failure ends an evaluation, is reported, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np
import pytest
from sources import Deadly, Failing, FailingWhileOthersWait
from waiting import steady

import biggus
from biggus.engine.running import WAITING_TASKS
from biggus.errors import BiggusError, SourceError
from biggus.indexing.reduction_blocks import BLOCK
from biggus.testing import ArraySource, FaultySource, RecordingSource

SHAPE = (64, BLOCK // 4)  # a row is a chunk; four are a reduction block
BLOCKS = 16


def failing(row=20, io_bound=False):
    return biggus.ArrayAdapter(Failing(SHAPE, row, io_bound))


EVALUATIONS = {
    "mean": lambda a: a.mean(),
    "std axis 0": lambda a: a[:, :100].std(axis=0),
    "max axis 1": lambda a: a.max(axis=1),
    "needs_reduction": lambda a: (a - a.mean()).max(),
    "median": lambda a: biggus.median(a[:, :1000], axis=0).max(),
    "elementwise": lambda a: a + 1,
}


def check_error(error):
    assert error.source == "failing"
    rows = error.box[0]
    assert rows.start <= 20 < rows.stop
    assert "the disk is on fire" in str(error.cause)
    assert "the disk is on fire" in str(error)


@pytest.mark.parametrize("name", EVALUATIONS)
@pytest.mark.parametrize("io_bound", [False, True])
def test_error_on_threads_names_source_and_box(name, io_bound):
    with pytest.raises(SourceError) as caught:
        EVALUATIONS[name](failing(io_bound=io_bound)).ndarray()
    check_error(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("name", EVALUATIONS)
def test_error_in_processes_names_source_and_box(name, processes):
    with biggus.set_options(executor=processes), pytest.raises(SourceError) as caught:
        EVALUATIONS[name](failing()).ndarray()
    check_error(caught.value)
    # The pool is still usable.
    good = biggus.ArrayAdapter(Failing(SHAPE, row=-1))
    with biggus.set_options(executor=processes):
        assert good.max().ndarray() == 63


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("io_bound", [False, True])
def test_no_read_starts_after_a_failure(workers, io_bound):
    source = RecordingSource(Failing(SHAPE, 8, io_bound))
    a = biggus.ArrayAdapter(source)
    with biggus.set_options(workers=workers), pytest.raises(SourceError):
        a.max().ndarray()
    reads = steady(lambda: len(source.boxes))
    under_way = max(workers, WAITING_TASKS) if io_bound else workers
    # A reduction block is four reads of an I/O-bound source, and one of any other.
    assert reads <= 4 * (2 + under_way)
    if not io_bound:
        assert reads <= 3 + workers


class FailingAtOnce(Failing):
    """The first row cannot be read; reads of other rows wait until that failure is seen."""

    def __init__(self):
        super().__init__(SHAPE, 0)
        self.seen = threading.Event()

    def __getitem__(self, box):
        assert box[0].start == 0 or self.seen.wait(60)
        return super().__getitem__(box)


def test_no_task_is_submitted_after_a_failure():
    failing = FailingAtOnce()
    source = RecordingSource(failing)
    a = biggus.ArrayAdapter(source)
    with ThreadPoolExecutor(2) as pool, biggus.set_options(executor=pool, workers=2):
        with pytest.raises(SourceError):
            a.max().ndarray()
        failing.seen.set()
    assert len(source.boxes) <= 4


def test_failure_of_one_array_ends_all():
    good = RecordingSource(ArraySource(np.zeros(SHAPE, "u1"), (1, BLOCK // 4)))
    arrays = [biggus.ArrayAdapter(good).mean(), failing(row=0).mean(), failing(row=0).max(axis=0)]
    for order in (arrays, arrays[::-1]):
        with pytest.raises(SourceError, match="on fire"):
            biggus.ndarrays(order)


def test_failure_in_the_second_pass():
    source = FaultySource(
        ArraySource(np.zeros(SHAPE, "u1"), (1, BLOCK // 4)), OSError("unplugged"), on={BLOCKS + 3}
    )
    a = biggus.ArrayAdapter(source)
    with pytest.raises(SourceError, match="unplugged"):
        (a - a.mean()).max().ndarray()
    assert (a - a.mean()).max().ndarray() == 0


class FailingTarget:
    """A target that fails from the third block on."""

    shape = SHAPE

    def __init__(self, error):
        self.error = error
        self.blocks = 0

    def __setitem__(self, box, values):
        self.blocks += 1
        if self.blocks >= 3:
            raise self.error


@pytest.mark.parametrize("io_bound", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "no space left"), KeyboardInterrupt()])
def test_failing_target_ends_the_evaluation(io_bound, error):
    source = RecordingSource(Failing(SHAPE, -1, io_bound))
    target = FailingTarget(error)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else BiggusError
    with biggus.set_options(workers=2), pytest.raises(expected):
        biggus.save(biggus.ArrayAdapter(source) * 2, target)
    blocks = steady(lambda: target.blocks)
    assert 3 <= blocks <= 3 + WAITING_TASKS
    assert not io_bound or len(source.boxes) < SHAPE[0] or blocks <= BLOCKS


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), SystemExit(3), MemoryError("full")])
@pytest.mark.parametrize("io_bound", [False, True])
def test_base_exceptions_of_a_source_reach_the_caller(cause, io_bound):
    source = Failing(SHAPE, 20, io_bound, cause)
    with pytest.raises((type(cause), SourceError)) as caught:
        biggus.ArrayAdapter(source).max().ndarray()
    assert cause in (caught.value, caught.value.__cause__)
    assert biggus.ArrayAdapter(Failing(SHAPE, -1, io_bound)).max().ndarray() == 63


def test_failure_in_another_thread_is_raised_after_the_callers_task():
    gate = threading.Event()
    source = FailingWhileOthersWait(SHAPE, gate, fails_in=1)
    threading.Timer(0.2, gate.set).start()
    with biggus.set_options(workers=4), pytest.raises(SourceError, match="on fire"):
        biggus.ArrayAdapter(source).max().ndarray()
    assert source.reads <= 4


def test_killed_worker_raises():
    a = biggus.ArrayAdapter(Deadly(SHAPE, os.getpid(), signal.SIGKILL))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        with biggus.set_options(executor=pool), pytest.raises((BrokenProcessPool, BiggusError)):
            a.max().ndarray()
        # The pool stays broken.
        with biggus.set_options(executor=pool), pytest.raises((BrokenProcessPool, BiggusError)):
            a.max().ndarray()


def test_executor_after_shutdown_raises():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    a = biggus.ArrayAdapter(Failing(SHAPE, -1))
    with biggus.set_options(executor=pool), pytest.raises(RuntimeError, match="shutdown"):
        a.max().ndarray()


def test_unpicklable_source_raises(processes):
    class Local:
        shape, dtype = SHAPE, np.dtype("u1")

        def __getitem__(self, box):
            raise AssertionError

    a = biggus.ArrayAdapter(Local(), chunks=(1, BLOCK // 4))
    with biggus.set_options(executor=processes), pytest.raises(Exception, match="Local"):
        a.max().ndarray()
