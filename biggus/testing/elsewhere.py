"""Reading in other processes: a spawned one, and a fork of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence

from biggus.sources.base import Box, Source, Values

_SECONDS = 60

_CHILD = """
import os, pickle, select, signal, sys, warnings

source, boxes, seconds = pickle.load(sys.stdin.buffer)
from biggus.sources.base import read

results = {"spawned": [read(source, box) for box in boxes]}
if hasattr(os, "fork"):
    # The parent has read, so that its handles, locks and connections are there.
    out, into = os.pipe()
    warnings.simplefilter("ignore")
    child = os.fork()
    if child == 0:
        try:
            answer = pickle.dumps([read(source, box) for box in boxes])
        except BaseException as error:
            answer = pickle.dumps(f"{type(error).__name__}: {error}")
        with os.fdopen(into, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(into)
    if select.select([out], [], [], seconds)[0]:
        with os.fdopen(out, "rb") as pipe:
            answer = pipe.read()
        results["forked"] = pickle.loads(answer) if answer else "it died"
    else:
        os.kill(child, signal.SIGKILL)
        results["forked"] = f"it hung for {seconds} seconds"
    os.waitpid(child, 0)
sys.stdout.buffer.write(pickle.dumps(results))
"""


def read_elsewhere(source: Source, boxes: Sequence[Box]) -> dict[str, list[Values]]:
    """Read boxes in a spawned process, and in a fork of it on systems that have fork.

    Returns
    -------
    dict
        The values read, by kind of process: ``"spawned"`` and ``"forked"``.

    Raises
    ------
    AssertionError
        If a process fails, writes to standard error, or hangs.
    """
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-W", "error", "-c", _CHILD],
        input=pickle.dumps((source, list(boxes), _SECONDS // 2)),
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    complaint = done.stderr.decode(errors="replace").strip()
    assert done.returncode == 0, f"a spawned process failed: {complaint}"
    results: dict[str, list[Values]] = pickle.loads(done.stdout)
    for how, values in results.items():
        assert isinstance(values, list), f"a {how} process failed: {values}"
    return results
