"""Threads for waiting reads start on demand and do not delay the end of a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from biggus.support.threads import WaitingThreads, interruptible

WAIT_SECONDS = 120
"""Only a hung pool takes as long."""


def refused(_):
    raise RuntimeError("can't start new thread")


def test_results_and_errors_come_back():
    pool = WaitingThreads(2)
    assert pool.submit(pow, 2, exp=5).result() == 32
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    assert list(pool.map(abs, range(-50, 0))) == list(range(50, 0, -1))


def test_threads_start_while_none_is_idle():
    pool = WaitingThreads(8)
    barrier = threading.Barrier(8)
    for _ in range(20):  # each round would time out with fewer than 8 at once
        futures = [pool.submit(barrier.wait, 30) for _ in range(8)]
        assert sorted(future.result() for future in futures) == list(range(8))
    names = {pool.submit(lambda: threading.current_thread().name).result() for _ in range(50)}
    assert len(names) <= 8


def test_sequential_tasks_reuse_one_thread():
    pool = WaitingThreads(8)
    seen = set()
    for _ in range(20):
        seen.add(pool.submit(lambda: threading.current_thread().name).result())
        time.sleep(0.005)
    assert len(seen) <= 2


def test_pool_works_after_an_interrupt_at_any_moment(interrupted_everywhere):
    pool = WaitingThreads(1_000)
    pool.submit(int).result()

    def check():
        assert pool.submit(pow, 2, 5).result(30) == 32

    def submit():
        with interruptible():
            pool.submit(int)

    interrupted_everywhere(submit, threading.__file__, check)


def test_cancelled_task_never_starts():
    pool = WaitingThreads(1)
    go = threading.Event()
    first = pool.submit(go.wait, 30)
    begun = []
    second = pool.submit(begun.append, 1)
    assert second.cancel()
    go.set()
    first.result()
    pool.submit(int).result()
    assert begun == []


def test_inside_is_true_in_threads_of_the_pool():
    pool = WaitingThreads(1)
    assert not pool.inside
    assert pool.submit(lambda: pool.inside).result()


HANGING = """
import sys, time
import numpy as np
import biggus

class Hanging:
    shape, dtype = (64,), np.dtype("i8")
    def __getitem__(self, box):
        sys.stdout.write("reading\\n")  # a line at once, beside other threads
        sys.stdout.flush()
        time.sleep(600)

biggus.ArrayAdapter(Hanging(), chunks=(1,)).ndarray()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupt_ends_a_program_with_hanging_reads():
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "reading\n"
            process.send_signal(signal.SIGINT)
            _, problem = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in problem
    assert process.returncode in (1, 130, -signal.SIGINT)


PARTING = """
import threading, time
from biggus.support.threads import WaitingThreads

pool = WaitingThreads(1)
begun = threading.Event()

def work():
    begun.set()
    time.sleep(0.3)
    print("done", flush=True)

pool.submit(work)
pool.submit(print, "never", flush=True)
begun.wait()
"""


def test_exit_finishes_running_calls_and_starts_no_others():
    ended = subprocess.run(
        [sys.executable, "-c", PARTING], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "done\n"


@interruptible()
def tripping():
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("release unlocked lock")


@interruptible()
def failing():
    raise RuntimeError("of another kind")


def test_runtime_error_during_an_interrupt_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt):
        tripping()
    with pytest.raises(RuntimeError, match="of another kind"):
        failing()


def test_pool_works_again_after_threads_could_not_be_started(monkeypatch):
    pool, called = WaitingThreads(2), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for number in range(3):
            with pytest.raises(RuntimeError, match="can't start"):
                pool.submit(called.append, number)
    assert pool.submit(called.append, 3).result(WAIT_SECONDS) is None
    assert called == [3]  # calls that were refused are not made later


def test_threads_of_a_pool_make_the_calls_of_those_that_cannot_be_started(monkeypatch):
    pool, begun, leave = WaitingThreads(2), threading.Event(), threading.Event()

    def work():
        begun.set()
        return leave.wait(WAIT_SECONDS)

    first = pool.submit(work)
    assert begun.wait(WAIT_SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        second = pool.submit(lambda: 2)
    leave.set()
    assert first.result(WAIT_SECONDS)
    assert second.result(WAIT_SECONDS) == 2
