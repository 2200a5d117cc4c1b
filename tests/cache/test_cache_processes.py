"""Several processes on one cache: children, killed writers and workers."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.sources.wrappers import ObjectSource

HAMMER = """if True:
    import random, sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    path, seed = sys.argv[1], int(sys.argv[2])
    values = np.arange(40_000).reshape(200, 200)
    chance = random.Random(seed)
    cache = Cache(path, "150 kB")
    cached = cache.wrap(ObjectSource(values, token="hammered"), (20, 20))
    for turn in range(150):
        i, j = chance.randrange(190), chance.randrange(190)
        box = slice(i, i + 10, 1), slice(j, j + 10, 1)
        assert (cached[box] == values[box]).all()
        if chance.random() < 0.05:
            cache.close()
        if chance.random() < 0.005:
            cache.clear()
    print("done")
"""


@pytest.mark.machine
def test_eight_processes_share_one_cache(tmp_path):
    command = [sys.executable, "-W", "error", "-c", HAMMER, str(tmp_path / "c")]
    running = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for seed in range(8)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert out == b"done\n"
        assert err == b""
        assert process.returncode == 0
    with Cache(tmp_path / "c", "150 kB") as cache:
        values = np.arange(40_000).reshape(200, 200)
        cached = cache.wrap(ObjectSource(values, token="hammered"), (20, 20))
        whole = slice(0, 200, 1), slice(0, 200, 1)
        assert (cached[whole] == values).all()
        assert cache.stats().bytes <= 150_000


WRITER = """if True:
    import itertools, sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    cache = Cache(sys.argv[1])
    print("ready", flush=True)
    for turn in itertools.count():
        source = ObjectSource(np.arange(200_000) % 251, chunks=(20_000,), token=str(turn % 5))
        cache.wrap(source)[slice(0, 200_000, 1),]
        cache.clear() if turn % 7 == 6 else cache.close()
"""


@pytest.mark.machine
def test_killed_writer_leaves_a_consistent_cache(tmp_path, counting):
    for number in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "c")], stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.02 * number)
            process.send_signal(signal.SIGKILL)
    cache = Cache(tmp_path / "c")
    values = np.arange(200_000) % 251
    for token in range(5):
        source = counting(values, (20_000,), token=str(token))
        source.now = b"token"
        assert (cache.wrap(source)[slice(0, 200_000, 1),] == values).all()
    stats = cache.stats()
    assert stats.entries == 50
    cache.clear()
    assert [p for p in (cache.path / "entries").rglob("*") if p.is_file()] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_uses_the_cache(tmp_path):
    code = """if True:
        import os, sys, threading, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        cache = Cache(sys.argv[1])
        cached = cache.wrap(ObjectSource(np.arange(1000), token="forked"), (100,))
        cached[slice(0, 500, 1),]
        cache.close()
        with cache._index._lock, cache._index._busy:  # as if a thread of the parent held the locks
            child = os.fork()
        if child == 0:
            assert cached[slice(0, 1000, 1),].sum() == 499500
            assert cache.stats().entries == 10
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert cached[slice(0, 1000, 1),].sum() == 499500
        assert cache.stats().entries == 10
        print("done")
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"done\n", done.stderr


def test_multiprocessing_workers_index_their_entries(tmp_path):
    code = """if True:
        import sys, multiprocessing, numpy as np
        from biggus.cache import Cache
        from biggus.sources.wrappers import ObjectSource
        cached = Cache(sys.argv[1]).wrap(ObjectSource(np.arange(1000), token="w"), (100,))
        def work():
            cached[slice(0, 1000, 1),]
        worker = multiprocessing.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
        assert worker.exitcode == 0
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")], check=True, timeout=60)
    database = sqlite3.connect(tmp_path / "c" / "index.db")
    assert database.execute("SELECT COUNT(*) FROM entries").fetchall() == [(10,)]
    database.close()
