"""The lock of a native library, and what waits until it is free."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from biggus.backends.native import LibraryLock


@pytest.fixture
def lock():
    """Return a lock that is free."""
    return LibraryLock()


@pytest.fixture
def elsewhere():
    """Return an executor of one other thread."""
    with ThreadPoolExecutor(1) as executor:
        yield lambda function, *args: executor.submit(function, *args).result(30)


def test_it_is_a_reentrant_lock(lock, elsewhere):
    with lock, lock:
        assert lock.acquire(timeout=60)
        assert not elsewhere(lock.acquire, False)
        assert not elsewhere(lock.acquire, True, 0.01)
        lock.release()
        assert not elsewhere(lock.acquire, False)
    assert elsewhere(lock.acquire, False)
    assert not lock.acquire(blocking=False)
    elsewhere(lock.release)
    with pytest.raises(RuntimeError):
        LibraryLock().release()


def test_tasks_are_done_at_once_where_nobody_has_it(lock, elsewhere):
    done = []
    lock.soon(lambda: done.append(elsewhere(lock.acquire, False)))
    assert done == [False]  # under the lock
    assert elsewhere(lock.acquire, False)
    elsewhere(lock.release)


def test_tasks_of_the_thread_that_has_it_wait_until_it_lets_go(lock):
    done = []
    with lock:
        with lock:
            lock.soon(lambda: done.append(1))
        lock.soon(lambda: done.append(2))
        assert done == []
    assert done == [1, 2]


def test_tasks_wait_for_another_thread_and_nobody_waits_for_them(lock, elsewhere):
    done = []
    elsewhere(lock.acquire)
    lock.soon(lambda: done.append(threading.get_ident()))
    assert done == []
    elsewhere(lock.release)
    assert done == [elsewhere(threading.get_ident)]


def test_tasks_of_tasks(lock):
    done = []

    def again(n):
        if n:
            lock.soon(lambda: again(n - 1))
        done.append(n)

    lock.soon(lambda: again(3))
    assert done == [3, 2, 1, 0]  # one after the other, not one within the other


def test_failing_tasks_fail_nobody(lock, caplog):
    done = []
    with lock:
        lock.soon(lambda: 1 / 0)
        lock.soon(lambda: done.append(1))
    assert done == [1]
    assert "division by zero" in caplog.text
    lock.soon(lambda: 1 / 0)
    assert lock.acquire(blocking=False)
    lock.release()


@pytest.mark.parametrize("here", [True, False])
def test_a_library_that_is_entered_past_the_lock(lock, elsewhere, here):
    inner, done = threading.RLock(), []
    lock.heed(inner)
    lock.heed(inner)
    run = (lambda function, *args: function(*args)) if here else elsewhere
    run(inner.acquire)
    lock.soon(lambda: done.append(elsewhere(inner.acquire, False)))
    assert done == []
    assert lock.acquire(blocking=False)
    run(inner.release)
    lock.release()
    assert done == [True]
    elsewhere(inner.release)
    lock.soon(lambda: done.append(elsewhere(inner.acquire, False)))
    assert done == [True, False]  # under both
    assert elsewhere(inner.acquire, False)
    elsewhere(inner.release)


def test_no_task_is_lost_between_threads(lock):
    done = []

    def work(number):
        for i in range(500):
            if i % 3:
                lock.soon(lambda: done.append(number))
            else:
                with lock:
                    lock.soon(lambda: done.append(number))

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(work, range(4)))
    assert sorted(done) == [n for n in range(4) for _ in range(500)]
