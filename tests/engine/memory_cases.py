"""Evaluations whose peak memory is measured, over generated or sparse datasets."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import biggus
from biggus.sources.base import Source, box_shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMORY = 32 * 2**20
"""The memory budget, in bytes."""

F4 = np.dtype("f4")
ROWS = 2048


class Generated(Source):
    """Values generated on read, with a period of 977 elements."""

    dtype = F4
    owns_data = True
    name = "made"

    def __init__(self, shape, chunks=None, io_bound=False):
        self.shape, self.chunks, self.io_bound = shape, chunks, io_bound

    def __getitem__(self, box):
        values = np.empty(box_shape(box), self.dtype)
        seed = sum(s.start * 31**axis for axis, s in enumerate(box))
        period = ((np.arange(977) * 7919 + seed) % 977).astype(self.dtype)
        flat = values.reshape(-1)
        rows = flat.size // 977
        flat[: rows * 977].reshape(rows, 977)[...] = period
        flat[rows * 977 :] = period[: flat.size - rows * 977]
        return values


class Nowhere:
    """A target that discards the values written to it."""

    def __init__(self, shape, chunks=None):
        self.shape, self.chunks = shape, chunks

    def __setitem__(self, box, values):
        pass


class Layout(NamedTuple):
    """How a dataset is chunked."""

    chunks: Callable[[int, int], Any]
    """Returns the chunks for the lengths of the two axes."""

    io_bound: bool = False


LAYOUTS = {
    "blocks": Layout(lambda n, m: (min(n, 256), min(m, 512))),
    "waiting": Layout(lambda n, m: (min(n, 256), min(m, 512)), io_bound=True),
    "rows": Layout(lambda n, m: (1, m)),
    "columns": Layout(lambda n, m: (n, 4)),
    "uneven": Layout(lambda n, m: ((n - 7, 7), (1, 0, *[m // 32] * 31, m - 1 - 31 * (m // 32)))),
    "none": Layout(lambda n, m: None),
}


def made(layout, times):
    chunks, io_bound = LAYOUTS[layout]
    shape = shape_of(times)
    return biggus.ArrayAdapter(Generated(shape, chunks(*shape), io_bound))


def shape_of(times):
    """Return the shape of a dataset of `times` times the budget; a small shape for 0."""
    return (ROWS, MEMORY * times // ROWS // F4.itemsize) if times else (64, 96)


def contiguous(folder, times):
    """Return a sparse contiguous HDF5 dataset."""
    return _hdf5(folder, times, None)


def one_chunk(folder, times):
    """Return an HDF5 dataset of one uncompressed chunk, which can be read in parts."""
    return _hdf5(folder, times, shape_of(times))


def gzipped_rows(folder, times):
    """Return an HDF5 dataset with one compressed chunk per row."""
    return _hdf5(folder, times, (1, shape_of(times)[1]), compression="gzip", compression_opts=1)


def _hdf5(folder, times, chunks, **filters):
    import h5py

    path = folder / f"{times}.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        dataset = file.create_dataset(
            "a", shape_of(times), F4, chunks=chunks, dcpl=None if filters else plist, **filters
        )
        if filters:
            for row in range(dataset.shape[0]):
                dataset[row] = 0
    return biggus.open(path)


def zarr_rows(folder, times):
    """Return a Zarr array with one uncompressed chunk per row, of which none is written."""
    return _zarr(folder, times, (1, shape_of(times)[1]))


def zarr_one_chunk(folder, times):
    """Return a Zarr array of one uncompressed chunk, in a sparse file."""
    shape = shape_of(times)
    array = _zarr(folder, times, shape)
    with (folder / f"{times}.zarr" / "c.0.0").open("wb") as chunk:
        chunk.truncate(shape[0] * shape[1] * F4.itemsize)
    return array


def _zarr(folder, times, chunks):
    import zarr

    path = folder / f"{times}.zarr"
    zarr.create_array(
        path,
        shape=shape_of(times),
        chunks=chunks,
        dtype=F4,
        compressors=None,
        fill_value=3,
        chunk_key_encoding={"name": "default", "separator": "."},
    )
    return biggus.open(path)


STORES = {
    each.__name__: each for each in (contiguous, one_chunk, gzipped_rows, zarr_rows, zarr_one_chunk)
}


def several(a):
    return biggus.ndarrays([a.mean(), a.std(axis=0), a.max(axis=1), (a * 2 - 1).min()])


def parts(a):
    half = a.shape[0] // 2
    return biggus.ndarrays([a.std(axis=0), a[:half].max(axis=1), a[::-3].min(), a[:, 1].sum()])


def compared(a):
    """Combine an array with a row and a column that are read separately."""
    rows, columns = a.shape
    row, column = (biggus.ArrayAdapter(Generated(shape)) for shape in ((columns,), (rows, 1)))
    return biggus.ndarrays([(a - row).std(), (a * column).max(axis=0)])


def save_npy(a, folder):
    biggus.save(a * 2 + 1, folder / "out.npy", overwrite=True)


def save_hdf5(a, folder):
    biggus.save(a * 2 + 1, f"{folder / 'out.h5'}::a", overwrite=True)


def save_zarr(a, folder):
    biggus.save(a * 2 + 1, folder / "out.zarr", overwrite=True)


def save_memmap(a, folder):
    target = np.memmap(folder / "out.raw", a.dtype, "w+", shape=a.shape)
    biggus.save(a * 2 + 1, target)


EVALUATIONS = {
    "mean": lambda a, folder: a.mean().ndarray(),
    "std": lambda a, folder: a.std().ndarray(),
    "mean0": lambda a, folder: a.mean(axis=0).ndarray(),
    "std0": lambda a, folder: a.std(axis=0).ndarray(),
    "std1": lambda a, folder: a.std(axis=-1).ndarray(),
    "argmax": lambda a, folder: a.argmax().ndarray(),
    "argmax0": lambda a, folder: a.argmax(axis=0).ndarray(),
    "median": lambda a, folder: biggus.median(a).ndarray(),
    "median0": lambda a, folder: biggus.median(a, axis=0).ndarray(),
    "percentiles0": lambda a, folder: biggus.nanpercentile(a, [5, 95], axis=0).ndarray(),
    "median1": lambda a, folder: biggus.median(a, axis=1).ndarray(),
    "histogram": lambda a, folder: biggus.histogram(a, bins=50)[0].ndarray(),
    "needs_reduction": lambda a, folder: ((a - a.mean(axis=0)) / a.std(axis=0)).max().ndarray(),
    "transposed": lambda a, folder: biggus.ndarrays([a.T.std(axis=0), a.T.max()]),
    "several": lambda a, folder: several(a),
    "parts": lambda a, folder: parts(a),
    "compared": lambda a, folder: compared(a),
    "save": lambda a, folder: biggus.save(a * 2 + 1, Nowhere(a.shape)),
    "save_transposed": lambda a, folder: biggus.save(a.T + a.T, Nowhere(a.T.shape)),
    "save_columns": lambda a, folder: biggus.save(a, Nowhere(a.shape, (a.shape[0], 16))),
    "save_npy": save_npy,
    "save_hdf5": save_hdf5,
    "save_zarr": save_zarr,
    "save_memmap": save_memmap,
}


def case(name: str, folder: Path) -> tuple[Callable[[int], Any], Callable[[Any], Any]]:
    """Return a function that makes a dataset of N times the budget, and its evaluation."""
    store, evaluation = name.split(":")
    make = functools.partial(made, store)
    if store in STORES:
        make = functools.partial(STORES[store], folder)
    return make, lambda a: EVALUATIONS[evaluation](a, folder)


def result_bytes(name: str, times: int) -> int:
    """Return the bytes of the results in memory; for a memmap, those written to it."""
    rows, columns = shape_of(times)
    if name.endswith("memmap"):
        return rows * columns * F4.itemsize
    return 8 * (rows + columns)
