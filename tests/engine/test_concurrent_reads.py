"""Control-C ends an evaluation at once, even while it waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from biggus.engine.concurrent_reads import WAITING_THREADS

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

PROGRAM = """
import sys, time
import numpy as np
import biggus
from biggus.sources.base import Source

NAP, IO_BOUND = float(sys.argv[1]), sys.argv[2] == "True"
WORKERS, EVALUATION = int(sys.argv[3]), sys.argv[4]

class Slow(Source):
    shape, dtype, chunks, io_bound = (4096, 2**18), np.dtype("u1"), (4, 2**18), IO_BOUND
    name = "slow"
    reads = 0

    def __getitem__(self, box):
        Slow.reads += 1
        if Slow.reads == 3:
            print("reading", flush=True)
        time.sleep(NAP)
        return np.zeros([s.stop - s.start for s in box], "u1")

class Nowhere:
    shape = Slow.shape

    def __setitem__(self, box, values):
        pass

a = biggus.ArrayAdapter(Slow())
biggus.set_options(workers=WORKERS, keep_partials=False)
try:
    if EVALUATION == "needs_reduction":
        (a - a.mean(axis=0)).max().ndarray()
    elif EVALUATION == "save":
        biggus.save(a + 1, Nowhere())
    elif EVALUATION == "elementwise":
        (a + 1).ndarray()
    else:
        biggus.ndarrays([a.std(), a.max(axis=1)])
except KeyboardInterrupt:
    print("interrupted", flush=True)
    if NAP < 1:
        # Reads under way end; no other begins.
        begun = reads = Slow.reads
        time.sleep(0.3)
        while Slow.reads > reads:
            reads = Slow.reads
            time.sleep(0.3)
        print("more", reads - begun, flush=True)
"""


def interrupted(program, *arguments, within=60.0):
    """Run a program, interrupt it after its first line, and return the lines that follow."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "reading\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        out, err = process.communicate(timeout=120)
        assert time.monotonic() - begun < within
    finally:
        process.kill()
        process.wait()
    assert err == ""
    assert process.returncode == 0
    return out.splitlines()


@pytest.mark.parametrize(
    ("evaluation", "io_bound", "workers"),
    [
        ("several", True, 2),
        ("several", False, 1),
        ("needs_reduction", False, 3),
        ("save", False, 3),
        ("elementwise", True, 2),
        ("elementwise", False, 3),
    ],
)
def test_interrupted_evaluation_starts_no_more_reads(evaluation, io_bound, workers):
    line, more = interrupted(PROGRAM, 0.02, io_bound, workers, evaluation)
    assert line == "interrupted"
    # Of 1024 reads, only those happen that threads had begun, and the next of each thread.
    assert 0 <= int(more.removeprefix("more ")) <= 2 * WAITING_THREADS


@pytest.mark.parametrize(
    ("evaluation", "io_bound", "workers"), [("several", True, 2), ("save", False, 4)]
)
def test_interrupt_ends_an_evaluation_whose_source_hangs(evaluation, io_bound, workers):
    assert interrupted(PROGRAM, 60, io_bound, workers, evaluation) == ["interrupted"]


CHILDREN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import numpy as np
import biggus
from sources import Slow

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, get_context("spawn"))
    pool.submit(os.getpid).result()
    a = biggus.ArrayAdapter(Slow((4096, 2**18), 0.02))
    def advance(done, total):
        if not advance.printed:
            print("reading", flush=True)
            advance.printed = True
    advance.printed = False
    try:
        with biggus.set_options(executor=pool, progress=advance):
            a.std().ndarray()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    # Tasks that were not begun are cancelled, so the shutdown is short.
    pool.shutdown()
    print("down", flush=True)
"""


def test_interrupt_ends_an_evaluation_in_processes(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(CHILDREN)
    runner = (
        "import runpy, sys; sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    folder = Path(__file__).parent
    assert interrupted(runner, program, folder) == ["interrupted", "down"]
