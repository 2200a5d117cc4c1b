"""The engine reads concurrently, and the first failure ends all reads."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.engine import WAITING_THREADS
from biggus.errors import SourceError
from biggus.sources.base import Source


class Slow:
    """A plain object whose reads block until `together` reads are under way."""

    shape, dtype = (64, 4), np.dtype("i8")

    def __init__(self, together=1):
        self.barrier = threading.Barrier(together)
        self.threads = set()

    def __getitem__(self, box):
        self.threads.add(threading.current_thread().name)
        self.barrier.wait(timeout=120)
        rows = np.arange(box[0].start, box[0].stop)
        return np.broadcast_to(rows[:, None], (len(rows), 4)).copy()


def test_chunks_of_one_read_are_read_concurrently():
    source = Slow(together=16)
    array = biggus.ArrayAdapter(source, chunks=(1, 4))
    result = array.ndarray()  # would time out if fewer than 16 read at once
    np.testing.assert_array_equal(result[:, 0], np.arange(64))
    assert len(source.threads) >= 16


def test_single_chunk_is_read_in_the_calling_thread():
    source = Slow()
    biggus.ArrayAdapter(source)[3].ndarray()
    assert source.threads == {threading.current_thread().name}


def test_first_failure_cancels_remaining_reads():
    reads = []
    raised = threading.Event()

    class Failing:
        shape, dtype = (10_000,), np.dtype("i8")

        def __getitem__(self, box):
            reads.append(box)
            if box[0].start == 3:
                raise OSError("the disk is on fire")
            assert raised.wait(60)
            return np.zeros(1, "i8")

    array = biggus.ArrayAdapter(Failing(), chunks=(1,))
    with pytest.raises(SourceError, match=r"Failing object \[3:4\]: the disk is on fire"):
        array.ndarray()
    raised.set()
    # This read needs all threads at once, so they have finished with the failed one.
    biggus.ArrayAdapter(Slow(together=WAITING_THREADS), chunks=(1, 4)).ndarray()
    assert (
        4 <= len(reads) <= WAITING_THREADS + 1
    )  # the thread that failed may have begun another read


def test_source_that_reads_arrays_does_not_deadlock():
    inner = biggus.ArrayAdapter(Slow(), chunks=(1, 4))

    class Nested:
        shape, dtype = inner.shape, inner.dtype

        def __getitem__(self, box):
            return inner[box].ndarray()

    array = biggus.ArrayAdapter(Nested(), chunks=(1, 4))
    np.testing.assert_array_equal(array.ndarray()[:, 1], np.arange(64))


def test_lock_is_held_while_reading():
    lock = threading.Lock()

    class Guarded:
        shape, dtype = (50,), np.dtype("i8")

        def __getitem__(self, box):
            assert lock.locked()
            return np.arange(box[0].start, box[0].stop)

    array = biggus.ArrayAdapter(Guarded(), chunks=(1,), lock=lock)
    np.testing.assert_array_equal(array.ndarray(), np.arange(50))


def test_reads_see_the_options_of_the_caller():
    seen = set()

    class Looking:
        shape, dtype = (8,), np.dtype("i8")

        def __getitem__(self, box):
            seen.add(biggus.options.current().offline)
            return np.zeros(1, "i8")

    with biggus.set_options(offline=True):
        biggus.ArrayAdapter(Looking(), chunks=(1,)).ndarray()
    assert seen == {True}


def test_progress_ends_at_all_bytes():
    calls = []
    array = biggus.ArrayAdapter(Slow(), chunks=(5, 4))
    with biggus.set_options(progress=lambda done, total: calls.append((done, total))):
        array.ndarray()
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (array.nbytes, array.nbytes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_reading_works_in_a_forked_child():
    array = biggus.ArrayAdapter(Slow(), chunks=(1, 4))
    array.ndarray()  # the pool has threads now, which the child will not have
    child = os.fork()
    if not child:
        os._exit(0 if (array.ndarray()[:, 0] == np.arange(64)).all() else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_values_that_a_source_owns_are_not_copied():
    block = np.arange(8)

    class Fresh(Source):
        shape, dtype, owns_data = (8,), block.dtype, True

        def __getitem__(self, box):
            return block

    assert np.shares_memory(biggus.ArrayAdapter(Fresh()).ndarray(), block)


def test_failing_reads_do_not_disturb_concurrent_reads():
    class Sometimes(Slow):
        def __getitem__(self, box):
            if box[0].start == 40:
                raise OSError("the disk is on fire")
            return super().__getitem__(box)

    good = biggus.ArrayAdapter(Slow(), chunks=(1, 4))
    bad = biggus.ArrayAdapter(Sometimes(), chunks=(1, 4))
    outcomes = []

    def work(number):
        for _ in range(5):
            if number % 3:
                outcomes.append((good[::-1].ndarray()[:, 0] == np.arange(64)[::-1]).all())
            else:
                with pytest.raises(SourceError, match=r"\[40:41, 0:4\]: the disk is on fire"):
                    bad.ndarray()
                outcomes.append(True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 60


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), SystemExit(3), MemoryError("full")])
def test_base_exceptions_of_a_read_reach_the_caller(cause):
    class Raising(Slow):
        def __getitem__(self, box):
            if box[0].start == 5:
                raise cause
            return super().__getitem__(box)

    with pytest.raises((type(cause), SourceError)) as caught:
        biggus.ArrayAdapter(Raising(), chunks=(1, 4)).ndarray()
    assert cause in (caught.value, caught.value.__cause__)
    assert biggus.ArrayAdapter(Slow(), chunks=(1, 4)).ndarray().shape == (64, 4)


def test_multiline_source_error_is_reported_on_one_line():
    class Wordy(Slow):
        def __getitem__(self, box):
            raise ValueError("first this,\n    then that")

    with pytest.raises(SourceError, match=r"^cannot read Wordy object .*: first this, then that$"):
        biggus.ArrayAdapter(Wordy()).ndarray()


def test_failed_read_reports_no_progress():
    raised, calls = threading.Event(), []

    class Failing(Slow):
        def __getitem__(self, box):
            if box[0].start == 0:
                raise OSError("the disk is on fire")
            assert raised.wait(60)
            return super().__getitem__(box)

    array = biggus.ArrayAdapter(Failing(), chunks=(1, 4))
    report = biggus.set_options(progress=lambda done, total: calls.append(done))
    with report, pytest.raises(SourceError, match="on fire"):
        array.ndarray()
    raised.set()
    # This read needs all threads at once, so they have finished with the failed one.
    biggus.ArrayAdapter(Slow(together=WAITING_THREADS), chunks=(1, 4)).ndarray()
    assert calls == []


def test_array_larger_than_memory_raises_memory_error():
    with pytest.raises(MemoryError, match="slice it"):
        biggus.zeros((2**40, 2**40)).ndarray()


def test_reads_nested_on_other_threads_do_not_deadlock():
    inner = biggus.ArrayAdapter(Slow(), chunks=(16, 4))

    class Outer:
        """A source that reads on its own threads, as the graph of another library does."""

        shape, dtype = (40,), np.dtype("i8")

        def __getitem__(self, box):
            with ThreadPoolExecutor(1) as own:
                return own.submit(inner.ndarray).result()[box[0], 0]

    array = biggus.ArrayAdapter(Outer(), chunks=(1,))
    np.testing.assert_array_equal(array.ndarray(), np.arange(40))


class One:
    """A value without axes, in an object that biggus does not know."""

    shape = ()

    def __init__(self, value):
        self.dtype = value.dtype
        self.value = value

    def __getitem__(self, box):
        return self.value[(*box, ...)]


@pytest.mark.parametrize("dtype", ["S3", "U3", "M8[s]", "i2", "c16"])
@pytest.mark.parametrize("mask", [None, False, True])
def test_arrays_without_axes_are_read_for_several_results(dtype, mask):
    value = np.zeros((), dtype) if mask is None else np.ma.MaskedArray(np.zeros((), dtype), mask)
    array = biggus.ArrayAdapter(One(value), masked=mask is not None)
    keys = [(), None, True, (None, None)]
    for key, got in zip(keys, biggus.masked_arrays([array[key] for key in keys]), strict=True):
        assert (got.shape, got.dtype) == (np.asarray(value)[key].shape, value.dtype)
        assert got.mask.all() == bool(mask)
        assert (got.data == np.ma.getdata(value)).all()
