"""The overhead of a read: ten elements of an ndarray."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np

import biggus
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup

MOST_SECONDS = 11e-6


def run(_: Setup) -> list[Row]:
    """Compare with the limit, and with dask.array if installed."""
    values = np.arange(100.0)
    works = {"biggus": biggus.ArrayAdapter(values)[10:20].ndarray}
    if importlib.util.find_spec("dask"):
        import dask
        import dask.array

        dask.config.set(scheduler="synchronous")
        works["dask"] = dask.array.from_array(values)[10:20].compute
    times = quickest(works, calls=200)
    work = "`ArrayAdapter(ndarray)[10:20].ndarray()`"
    rows = [Row(work, show(times["biggus"]), show(MOST_SECONDS), times["biggus"] / MOST_SECONDS, 1)]
    if "dask" in times:
        rows.append(
            Row(
                "the same",
                show(times["biggus"]),
                f"dask.array, {show(times['dask'])}",
                times["biggus"] / times["dask"],
                None,
            )
        )
    return rows
