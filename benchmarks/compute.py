"""Statistics of a whole dataset, by biggus, dask, the plain libraries, tensorstore and `machine`.

Each computes in a separate process, so that its memory can be measured.  They take turns, after
one untimed round, so that the data are in the page cache and all modules are imported.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from benchmarks.datasets import STORES, dataset
from benchmarks.peers import peers_of
from benchmarks.timing import Row, show
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.setup import Setup
    from benchmarks.worker import Answer

TWO = ("mean", "std")
ONE = ("std",)
FOUR = ("mean", "std", "min", "max")

MOST = {
    "contiguous": {"dask": 1 / 2.3, "machine": 1.2},
    "gzip": {"dask": 1 / 2.2},
    "zstd": {"dask": 1 / 1.5, "tensorstore": 1.2},
    "lz4": {"dask": 1 / 1.5, "tensorstore": 1.2},
}
"""The longest time of biggus, as a multiple of the time of a peer."""

MOST_FOUR = 1.15
"""The longest time of four statistics, as a multiple of the time of one."""

MOST_BYTES = 200 * 10**6
"""The most memory of the process, with the interpreter and libraries, in bytes."""

NAMES = {
    "dask": "dask.array",
    "tensorstore": "tensorstore, two threads",
    "machine": "the machine: `preadv`, decoding, two threads",
}

AGREE = 1e-12
"""The largest relative difference of two peers' values."""


def run(setup: Setup) -> list[Row]:
    """Compare times and memory for each store."""
    rows = []
    for store in setup.stores or STORES:
        with setup.folder() as folder:
            rows += _compared(store, dataset(folder, store, setup.size), setup)
    return rows


def _compared(store: str, path: Path, setup: Setup) -> list[Row]:
    others = [peer for peer in peers_of(store) if peer != "biggus"]
    works = [("biggus", TWO), *((peer, TWO) for peer in others)]
    # One and four statistics take turns, because the speed of a machine changes over time.
    works += [(peer, names) for peer in ("biggus", "machine") for names in (ONE, FOUR)]
    seconds, last = measured(path, works, setup.size.rounds)
    work = f"{STORES[store]}: mean and std of {show_bytes(setup.size.nbytes)}"
    names = {**NAMES, "library": "h5py" if path.suffix == ".h5" else "zarr-python"}
    names["library"] += ", slab by slab"
    mine = seconds["biggus", TWO]
    rows = []
    for peer in others:
        theirs = seconds[peer, TWO]
        compared = f"{names[peer]}, {show(theirs)}"
        ratio, most = mine / theirs, MOST[store].get(peer)
        rows.append(Row(work if not rows else "the same", show(mine), compared, ratio, most))
    four, one = seconds["biggus", FOUR], seconds["biggus", ONE]
    rows.append(
        Row(
            f"{STORES[store]}: mean, std, min and max at once",
            show(four),
            f"std alone, {show(one)}",
            four / one,
            MOST_FOUR,
        )
    )
    limit, limit_one = seconds["machine", FOUR], seconds["machine", ONE]
    compared = f"the machine, {show(limit)}: {limit / limit_one:.2f} of its std alone"
    rows.append(Row("the same", show(four), compared, four / limit, None))
    return rows + memory_rows(f"{STORES[store]}: peak memory", last, others, names)


def measured(
    path: Path, works: Sequence[tuple[str, tuple[str, ...]]], rounds: int
) -> tuple[dict[tuple[str, tuple[str, ...]], float], dict[str, Answer]]:
    """Return the least seconds of each piece of work, and the last answer of each peer.

    Parameters
    ----------
    path : Path
        The path of the dataset.
    works : sequence of (str, tuple of str)
        The peers and their statistics, in the order of a round.
    rounds : int
        The number of timed rounds, after an untimed one.
    """
    seconds: dict[tuple[str, tuple[str, ...]], list[float]] = {work: [] for work in works}
    with contextlib.ExitStack() as stack:
        peers = dict.fromkeys(peer for peer, _ in works)
        workers = {peer: stack.enter_context(Worker(peer, path)) for peer in peers}
        last = {}
        for number in range(rounds + 1):
            found: dict[str, float] = {}
            for peer, names in works:
                answer = last[peer] = workers[peer].ask(names)
                agree(peer, found, dict(zip(names, answer.values, strict=True)))
                if number:
                    seconds[peer, names].append(answer.seconds)
    return {work: min(times) for work, times in seconds.items()}, last


def agree(peer: str, found: dict[str, float], values: dict[str, float]) -> None:
    """Raise an error if statistics differ from those that other peers found."""
    for name, value in values.items():
        if not math.isclose(found.setdefault(name, value), value, rel_tol=AGREE):
            raise RuntimeError(f"{peer} says that {name} is {value!r}, another {found[name]!r}")


def memory_rows(
    work: str, last: dict[str, Answer], others: Iterable[str], names: dict[str, str]
) -> list[Row]:
    """Return rows of the peak memory of the processes, compared with the limit of biggus."""
    mine = last["biggus"].peak
    ratio = mine / MOST_BYTES
    rows = [Row(work, show_bytes(mine), show_bytes(MOST_BYTES), ratio, 1)]
    for peer in others:
        if peer != "machine":
            theirs = last[peer].peak
            compared = f"{names[peer]}, {show_bytes(theirs)}"
            rows.append(Row("the same", show_bytes(mine), compared, mine / theirs, None))
    return rows


def show_bytes(nbytes: float) -> str:
    """Format a number of bytes in MB or GB."""
    return f"{nbytes / 1e9:.3g} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.3g} MB"
