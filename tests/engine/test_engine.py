"""When and where: reads that wait wait together, and a failure ends them all."""

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
    """A plain object whose reads wait until enough others wait too."""

    shape, dtype = (64, 4), np.dtype("i8")

    def __init__(self, together=1):
        self.barrier = threading.Barrier(together)
        self.threads = set()

    def __getitem__(self, box):
        self.threads.add(threading.current_thread().name)
        self.barrier.wait(timeout=120)
        rows = np.arange(box[0].start, box[0].stop)
        return np.broadcast_to(rows[:, None], (len(rows), 4)).copy()


def test_pieces_of_one_read_wait_together():
    source = Slow(together=16)
    array = biggus.ArrayAdapter(source, chunks=(1, 4))
    result = array.ndarray()  # would time out if fewer than 16 read at once
    np.testing.assert_array_equal(result[:, 0], np.arange(64))
    assert len(source.threads) >= 16


def test_one_piece_is_read_by_the_caller():
    source = Slow()
    biggus.ArrayAdapter(source)[3].ndarray()
    assert source.threads == {threading.current_thread().name}


def test_the_first_failure_ends_the_rest():
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
    # All threads have to come together here, and so have done all that they will of the other.
    biggus.ArrayAdapter(Slow(together=WAITING_THREADS), chunks=(1, 4)).ndarray()
    assert 4 <= len(reads) <= WAITING_THREADS + 1  # the one that failed may have begun another


def test_a_source_that_reads_arrays_itself_does_not_wait_for_its_own_thread():
    inner = biggus.ArrayAdapter(Slow(), chunks=(1, 4))

    class Nested:
        shape, dtype = inner.shape, inner.dtype

        def __getitem__(self, box):
            return inner[box].ndarray()

    array = biggus.ArrayAdapter(Nested(), chunks=(1, 4))
    np.testing.assert_array_equal(array.ndarray()[:, 1], np.arange(64))


def test_a_lock_is_held_while_reading():
    lock = threading.Lock()

    class Guarded:
        shape, dtype = (50,), np.dtype("i8")

        def __getitem__(self, box):
            assert lock.locked()
            return np.arange(box[0].start, box[0].stop)

    array = biggus.ArrayAdapter(Guarded(), chunks=(1,), lock=lock)
    np.testing.assert_array_equal(array.ndarray(), np.arange(50))


def test_the_options_of_the_caller_hold_in_its_reads():
    seen = set()

    class Looking:
        shape, dtype = (8,), np.dtype("i8")

        def __getitem__(self, box):
            seen.add(biggus.options.current().offline)
            return np.zeros(1, "i8")

    with biggus.set_options(offline=True):
        biggus.ArrayAdapter(Looking(), chunks=(1,)).ndarray()
    assert seen == {True}


def test_progress_counts_every_byte():
    calls = []
    array = biggus.ArrayAdapter(Slow(), chunks=(5, 4))
    with biggus.set_options(progress=lambda done, total: calls.append((done, total))):
        array.ndarray()
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (array.nbytes, array.nbytes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_reading_goes_on_in_a_forked_child():
    array = biggus.ArrayAdapter(Slow(), chunks=(1, 4))
    array.ndarray()  # the pool has threads now, which the child will not have
    child = os.fork()
    if not child:
        os._exit(0 if (array.ndarray()[:, 0] == np.arange(64)).all() else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_read_of_one_box_of_a_fresh_source_is_not_copied():
    block = np.arange(8)

    class Fresh(Source):
        shape, dtype, owns_data = (8,), block.dtype, True

        def __getitem__(self, box):
            return block

    assert np.shares_memory(biggus.ArrayAdapter(Fresh()).ndarray(), block)


def test_failures_of_some_do_not_disturb_the_reads_of_others():
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
def test_whatever_a_read_raises_arrives_and_reading_goes_on(cause):
    class Raising(Slow):
        def __getitem__(self, box):
            if box[0].start == 5:
                raise cause
            return super().__getitem__(box)

    with pytest.raises((type(cause), SourceError)) as caught:
        biggus.ArrayAdapter(Raising(), chunks=(1, 4)).ndarray()
    assert cause in (caught.value, caught.value.__cause__)
    assert biggus.ArrayAdapter(Slow(), chunks=(1, 4)).ndarray().shape == (64, 4)


def test_what_takes_a_source_several_lines_to_say_is_said_on_one():
    class Wordy(Slow):
        def __getitem__(self, box):
            raise ValueError("first this,\n    then that")

    with pytest.raises(SourceError, match=r"^cannot read Wordy object .*: first this, then that$"):
        biggus.ArrayAdapter(Wordy()).ndarray()


def test_a_progress_that_raises_ends_the_read():
    def progress(done, total):
        raise ValueError("enough")

    array = biggus.ArrayAdapter(Slow(), chunks=(1, 4))
    with biggus.set_options(progress=progress), pytest.raises(ValueError, match="enough"):
        array.ndarray()


def test_no_progress_is_reported_of_a_read_that_has_failed():
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
    # All threads have to come together here, and so are done with the other.
    biggus.ArrayAdapter(Slow(together=WAITING_THREADS), chunks=(1, 4)).ndarray()
    assert calls == []


def test_what_no_memory_can_hold_is_refused():
    with pytest.raises(MemoryError, match="slice it"):
        biggus.zeros((2**40, 2**40)).ndarray()


def test_reads_that_wait_for_reads_of_other_threads_do_not_wait_for_ever():
    inner = biggus.ArrayAdapter(Slow(), chunks=(16, 4))

    class Outer:
        """As a graph of another library would read: on threads of its own."""

        shape, dtype = (40,), np.dtype("i8")

        def __getitem__(self, box):
            with ThreadPoolExecutor(1) as own:
                return own.submit(inner.ndarray).result()[box[0], 0]

    array = biggus.ArrayAdapter(Outer(), chunks=(1,))
    np.testing.assert_array_equal(array.ndarray(), np.arange(40))
