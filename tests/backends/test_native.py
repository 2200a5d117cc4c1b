"""The lock of a native library, and the tasks that wait for it."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from biggus.backends import native
from biggus.backends.native import LibraryLock


@pytest.fixture
def lock():
    """Return a free lock."""
    return LibraryLock()


@pytest.fixture
def in_other_thread():
    """Return a function that calls a function in another thread and returns its result."""
    with ThreadPoolExecutor(1) as executor:
        yield lambda function, *args: executor.submit(function, *args).result(30)


def test_lock_is_reentrant(lock, in_other_thread):
    with lock, lock:
        assert lock.acquire(timeout=60)
        assert not in_other_thread(lock.acquire, False)
        assert not in_other_thread(lock.acquire, True, 0.01)
        lock.release()
        assert not in_other_thread(lock.acquire, False)
    assert in_other_thread(lock.acquire, False)
    assert not lock.acquire(blocking=False)
    in_other_thread(lock.release)
    with pytest.raises(RuntimeError):
        LibraryLock().release()


def test_interrupt_while_the_lock_is_taken_leaves_it_free(
    lock, in_other_thread, interrupted_everywhere
):
    def is_free():
        return in_other_thread(lambda: lock.acquire(False) and not lock.release())

    def check():
        assert is_free()

    interrupted_everywhere(lock.acquire, native.__file__, check)
    assert not is_free()

    def check_nested():
        lock.release()
        assert is_free()
        lock.acquire()

    interrupted_everywhere(lock.acquire, native.__file__, check_nested)
    lock.release()
    lock.release()
    assert is_free()


def test_interrupt_of_a_fork_leaves_the_locks_free(
    monkeypatch, lock, in_other_thread, interrupted_everywhere
):
    inner = threading.RLock()
    lock.heed(lambda: inner)
    lock.close_at_forks(lambda: None)
    monkeypatch.setattr(native, "hdf5_lock", lock)
    guard = native._LockAtFork()

    def is_free(one):
        return in_other_thread(lambda: one.acquire(blocking=False) and not one.release())

    def check():
        guard.let_go()  # the interpreter calls it even if the first part of the handler failed
        assert is_free(lock)
        assert is_free(inner)

    interrupted_everywhere(guard.take, native.__file__, check)
    assert not is_free(lock)
    check()


def test_tasks_run_at_once_if_the_lock_is_free(lock, in_other_thread):
    done = []
    lock.soon(lambda: done.append(in_other_thread(lock.acquire, False)))
    assert done == [False]  # under the lock
    assert in_other_thread(lock.acquire, False)
    in_other_thread(lock.release)


def test_tasks_wait_until_the_own_thread_releases_the_lock(lock):
    done = []
    with lock:
        with lock:
            lock.soon(lambda: done.append(1))
        lock.soon(lambda: done.append(2))
        assert done == []
    assert done == [1, 2]


def test_tasks_wait_for_another_thread_without_blocking(lock, in_other_thread):
    done = []
    in_other_thread(lock.acquire)
    lock.soon(lambda: done.append(threading.get_ident()))
    assert done == []
    in_other_thread(lock.release)
    assert done == [in_other_thread(threading.get_ident)]


def test_tasks_added_by_tasks_run_in_turn(lock):
    done = []

    def again(n):
        if n:
            lock.soon(lambda: again(n - 1))
        done.append(n)

    lock.soon(lambda: again(3))
    assert done == [3, 2, 1, 0]  # one after the other, not nested


def test_failed_tasks_are_logged(lock, caplog):
    done = []
    with lock:
        lock.soon(lambda: 1 / 0)
        lock.soon(lambda: done.append(1))
    assert done == [1]
    assert "division by zero" in caplog.text
    lock.soon(lambda: 1 / 0)
    assert lock.acquire(blocking=False)
    lock.release()


@pytest.mark.parametrize("in_this_thread", [True, False])
def test_tasks_respect_the_librarys_own_lock(lock, in_other_thread, in_this_thread):
    inner, done = threading.RLock(), []
    lock.heed(lambda: inner)
    lock.heed(lambda: None)  # of a library that is not imported
    run = (lambda function, *args: function(*args)) if in_this_thread else in_other_thread
    run(inner.acquire)
    lock.soon(lambda: done.append(in_other_thread(inner.acquire, False)))
    assert done == []
    assert lock.acquire(blocking=False)
    run(inner.release)
    lock.release()
    assert done == [True]
    in_other_thread(inner.release)
    lock.soon(lambda: done.append(in_other_thread(inner.acquire, False)))
    assert done == [True, False]  # while both locks are held
    assert in_other_thread(inner.acquire, False)
    in_other_thread(inner.release)


FORK = """if True:
    import os, sys, threading, time
    from biggus.backends import native
    if sys.argv[1] == "h5py":
        from biggus.backends.hdf5.files import h5py
        lock = h5py()._objects.phil
    else:
        lock = threading.RLock()
        native.hdf5_lock.heed(lambda: lock)
    taken, left = threading.Event(), threading.Event()
    def inside():
        with lock:
            taken.set()
            time.sleep(0.3)
            left.set()
    thread = threading.Thread(target=inside)
    thread.start()
    taken.wait()
    child = os.fork()
    if not child:
        free = lock.acquire(False) and native.hdf5_lock.acquire(False)
        os._exit(0 if free and left.is_set() else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    thread.join()
    with native.hdf5_lock, lock:
        print("free")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("library", ["h5py", "another"])
def test_forks_wait_until_no_thread_has_the_librarys_own_lock(library):
    # h5py holds its lock while its objects are freed, and old releases not over forks.
    if library == "h5py":
        pytest.importorskip("h5py")
    command = [sys.executable, "-W", "ignore", "-c", FORK, library]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "0\nfree\n", done.stderr


FORK_WHILE_IMPORTING = """if True:
    import os, signal, sys, threading
    import biggus
    from biggus.backends import native
    path, reached = sys.argv[1:]
    arrived, forking = threading.Event(), threading.Event()
    os.register_at_fork(before=forking.set)  # called after the handler of h5py
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == reached and threading.current_thread() is reader:
                arrived.set()
                forking.wait()
    sys.meta_path.insert(0, Finder())
    def work():
        print(biggus.open(path, "a").ndarray())
    reader = threading.Thread(target=work)
    signal.alarm(100)  # only a hung process takes as long
    reader.start()
    arrived.wait()
    child = os.fork()
    if not child:
        signal.alarm(100)
        os._exit(0 if biggus.open(path, "a").ndarray() == 3 else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    reader.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("reached", ["h5py.h5r", "h5py._hl.files", "netCDF4._netCDF4"])
def test_forks_wait_for_the_import_of_a_library(tmp_path, reached):
    # h5py takes its lock in forks as soon as it has made it, long before its import is over.
    library = pytest.importorskip(reached.partition(".")[0])
    if library.__name__ == "h5py":
        path = tmp_path / "a.h5"
        with library.File(path, "w") as file:
            file["a"] = 3
    else:
        path = tmp_path / "a.nc"
        with library.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            file.createVariable("a", "i4", ())[...] = 3
    command = [sys.executable, "-W", "ignore", "-c", FORK_WHILE_IMPORTING, str(path), reached]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.split()) == ["0", "3"], done.stderr


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
