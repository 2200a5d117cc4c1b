"""The peak memory of statistics of a dataset four times as large, with the same limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.compute import NAMES, TWO, measured, memory_rows, show_bytes
from benchmarks.datasets import STORES, dataset
from benchmarks.peers import peers_of

if TYPE_CHECKING:
    from benchmarks.setup import Setup
    from benchmarks.timing import Row

LONGER = 4


def run(setup: Setup) -> list[Row]:
    """Compare the peak memory of processes with the limit, for each store."""
    size = setup.size.longer(LONGER)
    rows = []
    for store in setup.stores or STORES:
        peers = [peer for peer in ("biggus", "dask") if peer in peers_of(store)]
        with setup.folder() as folder:
            path = dataset(folder, store, size)
            _, last = measured(path, [(peer, TWO) for peer in peers], 1)
        work = f"{STORES[store]}: peak memory, {show_bytes(size.nbytes)}"
        rows += memory_rows(work, last, peers[1:], NAMES)
    return rows
