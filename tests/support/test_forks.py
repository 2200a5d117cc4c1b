"""A process that forks while its threads are busy has working children."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import biggus
from biggus.support import forks
from biggus.support.forks import ForkGate
from biggus.support.once import once

WAIT_SECONDS = 120
"""Only a hung process takes as long."""


def in_a_thread(function):
    done = threading.Event()
    thread = threading.Thread(target=lambda: (function(), done.set()))
    thread.start()
    return thread, done


def test_fork_and_threads_inside_the_gate_wait_for_each_other():
    gate = ForkGate()
    inside, leave = threading.Event(), threading.Event()

    def work():
        with gate.entered(), gate.entered():
            inside.set()
            assert leave.wait(WAIT_SECONDS)

    worker, _ = in_a_thread(work)
    assert inside.wait(WAIT_SECONDS)
    began = threading.Event()
    over = threading.Event()

    def fork():
        gate._close()
        began.set()
        assert over.wait(WAIT_SECONDS)
        gate._open()

    forker, _ = in_a_thread(fork)
    assert not began.wait(0.05)
    leave.set()
    assert began.wait(WAIT_SECONDS)

    def enter():
        with gate.entered():
            pass

    late, entered = in_a_thread(enter)
    assert not entered.wait(0.05)
    over.set()
    assert entered.wait(WAIT_SECONDS)
    for thread in (worker, forker, late):
        thread.join()


def test_fork_waits_neither_for_itself_nor_forever(monkeypatch):
    gate = ForkGate()
    with gate.entered():
        gate._close()
        gate._open()
    monkeypatch.setattr(forks, "PATIENCE_SECONDS", 0.01)
    inside, leave = threading.Event(), threading.Event()

    def work():
        with gate.entered():
            inside.set()
            assert leave.wait(WAIT_SECONDS)

    worker, _ = in_a_thread(work)
    assert inside.wait(WAIT_SECONDS)
    gate._close()
    gate._open()
    leave.set()
    worker.join()


def test_waiting_fork_precedes_later_threads(monkeypatch):
    monkeypatch.setattr(forks, "PRECEDENCE_SECONDS", WAIT_SECONDS)
    gate = ForkGate()
    inside, again, leave = threading.Event(), threading.Event(), threading.Event()
    order = []

    def work():
        with gate.entered():
            inside.set()
            assert again.wait(WAIT_SECONDS)
            with gate.entered():  # a thread inside may enter again
                assert leave.wait(WAIT_SECONDS)

    def fork():
        gate._close()
        order.append("fork")
        gate._open()

    def come():
        with gate.entered():
            order.append("thread")

    worker, _ = in_a_thread(work)
    assert inside.wait(WAIT_SECONDS)
    forker, _ = in_a_thread(fork)
    while not gate._forking:
        time.sleep(0.001)
    again.set()
    late, _ = in_a_thread(come)
    leave.set()
    for thread in (worker, forker, late):
        thread.join()
    assert order == ["fork", "thread"]


def test_interrupt_at_any_moment_leaves_the_gate_empty(interrupted_everywhere):
    gate = ForkGate()

    def enter():
        with gate.entered(), gate.entered():
            pass

    def check():
        def fork():
            assert gate._take_all()
            gate._open()

        _, done = in_a_thread(fork)
        assert done.wait(WAIT_SECONDS)

    interrupted_everywhere(enter, forks.__file__, check)


def test_once_computes_per_instance_without_blocking_others():
    class Thing:
        computed = 0

        @once
        def value(self):
            """The instance."""
            self.computed += 1
            started.set()
            assert self.free.wait(WAIT_SECONDS)
            return self

    started = threading.Event()
    slow, quick = Thing(), Thing()
    slow.free, quick.free = threading.Event(), threading.Event()
    quick.free.set()
    thread, done = in_a_thread(lambda: slow.value)
    assert started.wait(WAIT_SECONDS)
    assert quick.value is quick.value is quick
    assert not done.is_set()
    slow.free.set()
    thread.join()
    assert slow.value is slow
    assert slow.computed == quick.computed == 1
    assert Thing.value.__doc__ == "The instance."


PACKAGE = Path(biggus.__file__).parent
OF_ONE_THREAD = {"cli", "testing", "viewer", "xarray"}
"""Rooms called by the user's own thread alone, which cannot import while it forks."""


def ungated(node, inside=False, gated=False):
    """Yield the lines of a module where a fork may interrupt an import in a function."""
    for child in ast.iter_child_nodes(node):
        imports = isinstance(child, ast.Import | ast.ImportFrom) or (
            isinstance(child, ast.Call) and ast.unparse(child.func).endswith("import_module")
        )
        if imports and inside and not gated:
            yield child.lineno
        gates = isinstance(child, ast.With) and any(
            ast.unparse(item.context_expr).startswith(("between_forks(", "needing("))
            for item in child.items
        )
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from ungated(child, inside or function, gated or gates)


def test_late_imports_are_protected_from_forks():
    # A child would wait forever for the thread of its parent that was importing.
    found = [
        f"{path.relative_to(PACKAGE)}, line {line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in OF_ONE_THREAD
        for line in ungated(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "imports outside of between_forks(): " + "; ".join(found)


PLAIN_LOCKS = {
    "made anew in children": (
        "backends/http/names.py backends/http/pools.py backends/http/shared.py "
        "backends/idle_handles.py cache/account.py cache/claims.py cache/deferred.py "
        "cache/sharing.py sources/chunk_memory.py support/forks.py support/recent.py "
        "support/single_flight.py support/threads.py"
    ),
    "taken inside the gate": (
        "array/handlers.py backends/registry.py backends/tiles/image.py backends/zarr/arrays.py"
    ),
    "held over forks": "backends/native.py",
    "of one evaluation": (
        "engine/evaluation.py engine/merging.py engine/partial_cache.py engine/repeated.py "
        "engine/running.py engine/scratch.py functions/nonzero.py pyramids/building.py "
        "sinks/blocks.py sinks/marked.py sinks/zarr.py support/progress.py"
    ),
}
"""The modules that make locks of `threading` themselves, and why children do not wait for these."""


def test_children_wait_for_no_lock_of_their_parent():
    known = {name for names in PLAIN_LOCKS.values() for name in names.split()}
    kinds = ("Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier")
    making = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in OF_ONE_THREAD
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in kinds
        and ast.unparse(node.value) == "threading"
    }
    assert making == known, "use biggus.support.forks.new_lock"


FORK_WITH_LOCKS = """if True:
    import os, threading
    from biggus.support.forks import new_lock
    own, other = new_lock(), new_lock()
    taken, over = threading.Event(), threading.Event()
    def hold():
        with other:
            taken.set()
            over.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    with own:
        child = os.fork()
        if not child:
            free = other.acquire(blocking=False)
    if not child:
        os._exit(0 if free else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), other.acquire(blocking=False))
    over.set()
    thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_new_locks_are_free_in_children_unless_the_forking_thread_has_them():
    command = [sys.executable, "-W", "ignore", "-c", FORK_WITH_LOCKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "0 False\n", done.stderr


def test_ungated_imports_are_found():
    program = """
import early
def outer():
    import late
    with between_forks(), other:
        import fine
        def inner():
            import fine
    return importlib.import_module("late")
class Some:
    import early
    def method(self):
        with other:
            from late import name
"""
    assert list(ungated(ast.parse(program))) == [4, 9, 14]


PROGRAM = """if True:
    import faulthandler, os, sys, tempfile, threading
    import numpy as np
    import biggus
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    store, folder = sys.argv[1:]
    values = np.arange(40_000.0).reshape(200, 200)
    if store == "hdf5":
        import h5py
        with h5py.File(folder + "/a.h5", "w") as file:
            file.create_dataset("a", data=values, chunks=(20, 200), compression="gzip")
        work = lambda: biggus.open(folder + "/a.h5", "a")[:20].ndarray()
        check = lambda: biggus.open(folder + "/a.h5", "a").ndarray()
    elif store == "npy":
        np.save(folder + "/a.npy", values)
        work = lambda: biggus.open(folder + "/a.npy").mean(axis=0).ndarray()
        check = lambda: biggus.open(folder + "/a.npy").ndarray()
    else:
        cache = Cache(folder + "/c", "200 kB")  # too small for all
        array = biggus.ArrayAdapter(cache.wrap(ObjectSource(values, token="a"), (20, 20)))
        work = lambda: array[:100].ndarray()
        check = lambda: (array.ndarray(), cache.close())[0]
    stopped = False
    def churn():
        while not stopped:
            work()
    threads = [threading.Thread(target=churn, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        child = os.fork()
        if child == 0:
            faulthandler.dump_traceback_later({wait}, exit=True)
            os._exit(0 if (check() == values).all() else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stopped = True
    for thread in threads:
        thread.join()
    print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("store", ["hdf5", "npy", "cache"])
def test_forked_children_of_busy_processes_work(tmp_path, store):
    if store == "hdf5":
        pytest.importorskip("h5py")
    program = PROGRAM.replace("{wait}", str(WAIT_SECONDS))
    command = [sys.executable, "-W", "ignore", "-c", program, store, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr
