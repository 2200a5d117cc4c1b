"""Computing statistics of a large store within a memory budget, twice, in a measured process.

``python -m biggus.cli.demo.budget STORE CACHE RESULT`` computes them, and once more with the
partial results that were kept.  It saves the maps as RESULT, and prints times and memory as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import biggus
from biggus.cli.demo.anomaly import lazy_maps
from biggus.cli.demo.telling import timed
from biggus.cli.demo.weather import YEAR

BUDGET = "64 MB"


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes; None if the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def bytes_read() -> int | None:
    """Return the bytes that this process has read from files; None if the system does not tell."""
    try:
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar:")), None)


def measured(store: str, cache: str, result: str) -> dict[str, Any]:
    """Compute the maps twice; return the memory used, and the reads of each time."""
    # Chunks of local stores are not cached; partial results are.
    array = biggus.open(store, cache=False)
    array[0, 0, 0].ndarray()  # import modules that are imported on first use
    report: dict[str, Any] = {"baseline": peak_memory(), "runs": []}
    digests = set()
    with biggus.Cache(cache) as disk_cache, biggus.set_options(memory=BUDGET, cache=disk_cache):
        for _ in range(2):
            wanted = lazy_maps(array, YEAR)
            plan = biggus.plan(wanted)
            before = bytes_read()
            maps = timed(lambda: biggus.ndarrays(wanted))  # noqa: B023 - called at once
            after = bytes_read()
            run = {"reads": plan.requests, "seconds": maps.seconds, "from_disk": None}
            if before is not None and after is not None:
                run["from_disk"] = after - before
            report["runs"].append(run)
            digests.add(hashlib.sha256(b"".join(m.tobytes() for m in maps.value)).hexdigest())
        report["kept"] = disk_cache.stats().bytes
    np.save(result, np.stack(maps.value))
    return {**report, "peak": peak_memory(), "same": len(digests) == 1}


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:])))
