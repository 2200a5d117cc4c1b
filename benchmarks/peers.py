"""The same statistics of the same store by biggus, other libraries, and bare reads.

Each function takes the path of the dataset and the names of the statistics, opens and reads
the dataset, computes with two workers in float64, and returns floats.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import TYPE_CHECKING, Any

from benchmarks.arithmetic import Statistics
from benchmarks.datasets import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np

WORKERS = 2
MEMORY = "100 MB"
"""The memory limit of biggus."""

SLAB = 3
"""The times per read of a dataset without chunks: dask is fastest with 12 MB."""

DTYPE: dict[str, dict[str, str]] = {"mean": {"dtype": "f8"}, "std": {"dtype": "f8"}}
"""The arguments with which a statistic computes in float64."""


def by_biggus(path: Path, names: Sequence[str]) -> list[float]:
    """Compute with biggus, all in one pass."""
    import biggus

    with biggus.set_options(memory=MEMORY, workers=WORKERS):
        a = biggus.open(path, VARIABLE) if path.suffix == ".h5" else biggus.open(path)
        results = biggus.ndarrays([getattr(a, name)(**DTYPE.get(name, {})) for name in names])
    return [float(result) for result in results]


def by_dask(path: Path, names: Sequence[str]) -> list[float]:
    """Compute with dask.array, all in one pass, one block per chunk."""
    import dask
    import dask.array as da

    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        if path.suffix == ".h5":
            import h5py

            with h5py.File(path) as file:
                stored = file[VARIABLE]
                a = da.from_array(stored, chunks=stored.chunks or (SLAB, *stored.shape[1:]))
                return _compute(dask, a, names)
        import zarr

        stored = zarr.open_array(path, mode="r")
        # Like `from_zarr`, which in older releases does not support zarr-python 3.
        return _compute(dask, da.from_array(stored, chunks=stored.chunks), names)


def _compute(dask: Any, a: Any, names: Sequence[str]) -> list[float]:
    results = dask.compute(*[getattr(a, name)(**DTYPE.get(name, {})) for name in names])
    return [float(result) for result in results]


def by_library(path: Path, names: Sequence[str]) -> list[float]:
    """Read with h5py or zarr-python, one row of chunks after the other."""
    statistics = Statistics(names)
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path) as file:
            stored = file[VARIABLE]
            _add_slabs(statistics, stored, stored.chunks[0] if stored.chunks else SLAB)
    else:
        import zarr

        stored = zarr.open_array(path, mode="r")
        _add_slabs(statistics, stored, stored.chunks[0])
    return statistics.results()


def _add_slabs(statistics: Statistics, stored: Any, times: int) -> None:
    for start in range(0, stored.shape[0], times):
        statistics.add(stored[start : start + times])


def by_tensorstore(path: Path, names: Sequence[str]) -> list[float]:
    """Read with tensorstore, chunk by chunk in two threads."""
    import tensorstore

    limit = {"limit": WORKERS}
    stored = tensorstore.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}},
        context=tensorstore.Context({"data_copy_concurrency": limit, "file_io_concurrency": limit}),
        read=True,
    ).result()
    chunks = stored.chunk_layout.read_chunk.shape
    boxes = list(_boxes(stored.shape, chunks))

    def values(part: int) -> Iterable[np.ndarray]:
        for box in boxes[part::WORKERS]:
            yield stored[box].read(order="C").result()

    return in_threads(values, names)


def _boxes(shape: Sequence[int], chunks: Sequence[int]) -> Iterable[tuple[slice, ...]]:
    import itertools

    starts = [range(0, n, size) for n, size in zip(shape, chunks, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + size, n))
            for start, size, n in zip(corner, chunks, shape, strict=True)
        )


def by_machine(path: Path, names: Sequence[str]) -> list[float]:
    """Read stored bytes with `preadv` into two reused buffers, and decode them."""
    from benchmarks.limit import read_chunks

    return in_threads(read_chunks(path, WORKERS), names)


def in_threads(values: Callable[[int], Iterable[np.ndarray]], names: Sequence[str]) -> list[float]:
    """Compute the statistics of all values; each thread takes a part of the values."""
    parts = [Statistics(names) for _ in range(WORKERS)]
    failures: list[BaseException] = []

    def work(part: int) -> None:
        try:
            for block in values(part):
                parts[part].add(block)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    for part in parts[1:]:
        parts[0].merge(part)
    return parts[0].results()


PEERS: dict[str, Callable[[Path, Sequence[str]], list[float]]] = {
    "biggus": by_biggus,
    "dask": by_dask,
    "library": by_library,
    "tensorstore": by_tensorstore,
    "machine": by_machine,
}


def peers_of(store: str) -> list[str]:
    """Return the installed peers that can read a store."""
    optional = {"dask", "tensorstore"}
    return [
        peer
        for peer in PEERS
        if (peer not in optional or importlib.util.find_spec(peer))
        and (peer != "tensorstore" or store in {"zstd", "lz4"})
    ]
