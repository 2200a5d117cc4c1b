"""The dataset: a temperature over the globe, written slab by slab, in four stores.

It is a smooth field with seasons and waves, with noise of half a degree, rounded to a
hundredth like data that were packed into integers.  It compresses like real data: gzip
after shuffle to about 1/2.2, zstd to 1/1.9, lz4 in blosc to 1/1.6.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.setup import Size

VARIABLE = "t2m"

STORES = {
    "contiguous": "HDF5, contiguous",
    "gzip": "HDF5, gzip and shuffle",
    "zstd": "Zarr, zstd",
    "lz4": "Zarr, blosc-lz4",
}
"""The stores, and their names in the table."""

PLAIN = {"plain": "Zarr, not compressed"}
"""An uncompressed store, which is read at the speed of the machine."""


def field(first: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the temperatures at some times, in K, float32; deterministic.

    Parameters
    ----------
    first : int
        The number of the first time.
    shape : tuple of int
        The numbers of times, latitudes and longitudes.
    """
    times, rows, columns = shape
    time = np.arange(first, first + times)[:, None, None]
    latitude = np.radians(np.linspace(90, -90, rows))[None, :, None]
    longitude = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None, None, :]
    zonal = 250 + 50 * np.cos(latitude) + 10 * np.sin(latitude) * np.cos(time * 2 * np.pi / 365)
    wave = np.sin(5 * longitude - time / 4, dtype="f4")
    values = zonal.astype("f4") + 6 * np.cos(latitude).astype("f4") ** 2 * wave
    noise = np.random.default_rng([first, *shape]).standard_normal(shape, dtype="f4")
    noise *= 0.5
    values += noise
    values *= 100
    np.rint(values, out=values)
    values *= np.float32(0.01)
    return values


def slabs(size: Size, number: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a dataset by rows of chunks, each with the number of its first time."""
    earlier = number * size.shape[0]
    for first in range(0, size.shape[0], size.chunks[0]):
        times = min(size.chunks[0], size.shape[0] - first)
        yield first, field(earlier + first, (times, *size.shape[1:]))


def dataset(folder: Path, store: str, size: Size, number: int = 0) -> Path:
    """Return the path of a dataset, and write it if it does not exist yet.

    The dataset of the next `number` has the times that follow.
    """
    shape = "x".join(map(str, size.shape))
    path = folder / f"{shape}-{number}-{store}{'.h5' if store in _HDF5 else '.zarr'}"
    if not path.exists():
        partial = path.with_name(f"{path.name}.partial")
        remove(partial)
        (_make_hdf5 if store in _HDF5 else _make_zarr)(partial, store, size, number)
        partial.rename(path)
    return path


def store_of(path: Path) -> str:
    """Return the name of the store of a dataset."""
    return path.stem.rpartition("-")[2]


def drop(path: Path) -> None:
    """Remove a file, or all files in a folder, from the page cache."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())  # pages not yet written stay in the page cache
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def stored_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder, in bytes."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


_HDF5: dict[str, Callable[[Size], dict[str, Any]]] = {
    "contiguous": lambda _: {},
    "gzip": lambda size: {
        "chunks": size.chunks,
        "compression": "gzip",
        "compression_opts": 4,
        "shuffle": True,
    },
}

_ZARR: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "zstd": {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
    "lz4": {
        "name": "blosc",
        "configuration": {"cname": "lz4", "shuffle": "shuffle", "typesize": 4},
    },
}


def _make_hdf5(path: Path, store: str, size: Size, number: int) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        target = file.create_dataset(VARIABLE, size.shape, "f4", **_HDF5[store](size))
        _fill(target, size, number)


def _make_zarr(path: Path, store: str, size: Size, number: int) -> None:
    import zarr

    codec = _ZARR[store]
    target = zarr.create_array(
        str(path),
        shape=size.shape,
        chunks=size.chunks,
        dtype="f4",
        compressors=None if codec is None else [codec],
    )
    _fill(target, size, number)


def _fill(target: Any, size: Size, number: int) -> None:
    for first, values in slabs(size, number):
        target[first : first + values.shape[0]] = values
