"""The overhead of computing, per chunk and per expression."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

import biggus
from benchmarks.datasets import field
from benchmarks.peers import WORKERS
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.setup import Setup

SIDE = 8
"""Rows and columns of a tiny chunk of 256 bytes."""

ROWS = 100
"""The number of rows of chunks."""

FEWER = 100
"""dask gets one in this many chunks, because it is slow."""

MOST_CHUNK_SECONDS = 20e-6
MOST_EXPRESSION_SECONDS = 80e-6
ELEMENTS = 10_000


def run(setup: Setup) -> list[Row]:
    """Compare means of arrays of tiny chunks, and of a small expression, with their limits."""
    with setup.folder() as folder, biggus.set_options(workers=WORKERS):
        return [*_tiny_chunks(folder, setup), *_expression()]


def _tiny_chunks(folder: Path, setup: Setup) -> list[Row]:
    count = setup.size.tiny_chunks
    values = field(0, (1, SIDE * ROWS, SIDE * count // ROWS))[0]
    rounds = min(3, setup.size.rounds)
    rows = _chunk_rows(
        f"{count:,} chunks of 256 B in memory, all in, a chunk",
        biggus.ArrayAdapter(values, chunks=(SIDE, SIDE)),
        values,
        values[:, : max(SIDE, values.shape[1] // FEWER)],
        rounds,
    )
    path = folder / f"tiny-chunks-{count}.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            file.create_dataset("v", data=values, chunks=(SIDE, SIDE))
            fewer = values[:, : max(SIDE, values.shape[1] // FEWER)]
            file.create_dataset("fewer", data=fewer, chunks=(SIDE, SIDE))
    with h5py.File(path) as file:
        rows += _chunk_rows(
            "the same in HDF5", biggus.open(path, "v"), file["v"], file["fewer"], rounds
        )
    return rows


def _chunk_rows(work: str, a: Any, plain: Any, fewer: Any, rounds: int) -> list[Row]:
    """Return rows of seconds per chunk: biggus with its limit, the plain library, and dask."""
    count = plain.size // SIDE**2
    counts = {"biggus": count, "plain": count, "dask": fewer.size // SIDE**2}
    works: dict[str, Callable[[], object]] = {
        "biggus": lambda: a.mean(dtype="f8").ndarray(),
        "plain": lambda: np.mean(plain[:], dtype="f8"),
    }
    if importlib.util.find_spec("dask"):
        works["dask"] = lambda: _mean_by_dask(fewer)
    times = {name: s / counts[name] for name, s in quickest(works, rounds).items()}
    names = {"plain": "NumPy" if isinstance(plain, np.ndarray) else "h5py", "dask": "dask.array"}
    mine = times.pop("biggus")
    limit = MOST_CHUNK_SECONDS
    rows = [Row(work, show(mine), show(limit), mine / limit, 1)]
    for name, seconds in times.items():
        compared = f"{names[name]}, {show(seconds)}"
        rows.append(Row("the same", show(mine), compared, mine / seconds, None))
    return rows


def _mean_by_dask(plain: Any) -> float:
    import dask
    import dask.array as da

    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        return float(da.from_array(plain, chunks=(SIDE, SIDE)).mean(dtype="f8").compute())


def _expression() -> list[Row]:
    generator = np.random.default_rng(0)
    x, y = generator.random(ELEMENTS), generator.random(ELEMENTS)
    a, b = biggus.ArrayAdapter(x), biggus.ArrayAdapter(y)
    works: dict[str, Callable[[], object]] = {
        "biggus": lambda: (a - b).mean().ndarray(),
        "NumPy": lambda: np.mean(x - y),
    }
    if importlib.util.find_spec("dask"):
        import dask.array as da

        c, d = da.from_array(x), da.from_array(y)
        works["dask.array"] = lambda: (c - d).mean().compute(scheduler="threads")
    times = quickest(works, rounds=15, calls=50)
    mine = times.pop("biggus")
    limit = MOST_EXPRESSION_SECONDS
    rows = [Row(f"`(a - b).mean()`, {ELEMENTS} values", show(mine), show(limit), mine / limit, 1)]
    for name, seconds in times.items():
        compared = f"{name}, {show(seconds)}"
        rows.append(Row("the same", show(mine), compared, mine / seconds, None))
    return rows
