"""The second part of the demo: computing, also on data larger than the memory budget."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import biggus
from biggus.backends.files import SETTLED_SECONDS
from biggus.cli.demo.anomaly import LAST_YEARS, lazy_maps, maps_of_library, open_air
from biggus.cli.demo.budget import BUDGET
from biggus.cli.demo.pictures import picture
from biggus.cli.demo.telling import DemoError, expect, say, timed
from biggus.cli.demo.weather import maps_by_slabs, on_globe, weather
from biggus.cli.tables import table
from biggus.options import format_bytes, parse_size

_CLOSE = 1e-4
"""The greatest difference in kelvin; values are rounded to about 2e-5."""


def tell_of_computing(folder: Path, cache: biggus.Cache) -> None:
    """Compute maps of real data, then of a store that is larger than its budget."""
    _tell_of_climate(folder, cache)
    _tell_of_weather(folder)


def _tell_of_climate(folder: Path, cache: biggus.Cache) -> None:
    say("Computing: how warm a climate is, how it varies, and how its last decade differs")
    air = open_air(cache)
    wanted = lazy_maps(air, LAST_YEARS)
    print(f"  air[-{LAST_YEARS}:].mean(axis=0) - air.mean(axis=0)  is  {wanted[-1]!r}")
    print("  biggus.ndarrays([mean, std, anomaly]) computes all three together.")
    computed = timed(lambda: biggus.ndarrays(wanted))
    anomaly = computed.value[-1]
    print(f"  In {computed.seconds:.2f} s: the last decade is ", end="")
    print(f"{anomaly.min():.1f} to {anomaly.max():.1f} kelvin warmer than all years.")
    _compare(computed.value, maps_of_library(), "NumPy's maps of the same file")
    title = "Air temperature, scenario E1: mean of the last 10 years minus mean of all 240"
    picture(folder / "anomaly.png", wanted[-1], title=title, size=(9, 5))


def _tell_of_weather(folder: Path) -> None:
    invented = weather()
    say(f"More data than memory: 17 years of weather, computed within {BUDGET}")
    print(f"  {invented!r}: a formula, nothing computed yet.")
    with tempfile.TemporaryDirectory(prefix=".weather-", dir=folder) as name:
        store = Path(name) / "weather.zarr"
        with biggus.set_options(memory=BUDGET):
            saved = timed(lambda: biggus.save(invented, store))
        written = time.monotonic()
        print(f"  Saved as a Zarr store, block by block, in {saved.seconds:.1f} s.")
        slabs = timed(lambda: maps_by_slabs(store))
        # Files are cached once they are old enough for their times to reveal another change.
        time.sleep(max(0.0, written + SETTLED_SECONDS + 0.1 - time.monotonic()))
        report, computed = _in_a_process(store)
    _print_memory(report, invented.nbytes)
    _compare(
        computed, slabs.value, f"NumPy's maps, computed year by year in {slabs.seconds:.2f} s,"
    )
    _print_runs(report)
    days, size = len(invented), format_bytes(invented.nbytes)
    title = f"Invented weather: the mean of {days:,} daily maps, {size}, computed within {BUDGET}"
    picture(folder / "weather.png", on_globe(computed[0]), title=title, size=(9, 5))


def _in_a_process(store: Path) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Compute the maps in another process; return its report, and the maps."""
    result = store.with_name("maps.npy")
    paths = map(str, (store, store.with_name("kept"), result))
    command = [sys.executable, "-m", "biggus.cli.demo.budget", *paths]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DemoError(f"the process that computes failed: {last}")
    return json.loads(done.stdout), list(np.load(result))


def _print_memory(report: dict[str, Any], nbytes: int) -> None:
    baseline, peak, budget = report["baseline"], report["peak"], parse_size(BUDGET)
    print(f"  Mean, standard deviation and anomaly of {format_bytes(nbytes)}, ", end="")
    print("in a separate process:")
    if peak is None:
        print("    this system does not tell how much memory it takes")
        return
    rows = [
        ("memory before", format_bytes(baseline)),
        ("with the budget", format_bytes(baseline + budget)),
        ("peak memory", format_bytes(peak)),
    ]
    print(table(rows, indent="    "))
    expect(peak <= baseline + budget, "the budget is kept")


def _print_runs(report: dict[str, Any]) -> None:
    first, second = report["runs"]
    rows: list[tuple[str, ...]] = [("", "first run", "second run")]
    rows.append(("reads of the store", *(str(run["reads"]) for run in (first, second))))
    if first["from_disk"] is not None:
        rows.append(("bytes from files", *(format_bytes(r["from_disk"]) for r in (first, second))))
    rows.append(("time", *(f"{run['seconds'] * 1000:.0f} ms" for run in (first, second))))
    print(f"  Partial results are cached, {format_bytes(report['kept'])} of them:")
    print(table(rows, indent="    ", right=(1, 2)))
    expect(second["reads"] == 0, "nothing of the store is read the second time")
    expect(report["same"], "both runs give the same bytes")
    print("  Both times the maps are the same to the last bit.")


def _compare(
    computed: Sequence[npt.NDArray[Any]], right: Sequence[npt.NDArray[Any]], whose: str
) -> None:
    worst = max(
        float(np.abs(mine - other).max()) for mine, other in zip(computed, right, strict=True)
    )
    print(f"  The maps differ from {whose} by at most {worst:.1g} kelvin.")
    expect(worst < _CLOSE, "NumPy computes the same")
