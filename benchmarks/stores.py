"""Reading local stores, compared with the libraries of their formats."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING

import diskcache
import h5py
import netCDF4
import numpy as np
import zarr

import biggus
from benchmarks.pieces import SETTLED_SECONDS
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup

SHAPE = (64, 512, 512)
CHUNKS = (8, 128, 128)

MOST = {"HDF5, gzip": (None, 1.2, 2), "NetCDF-4, zlib, decoded": (1.2, 1.2, 1.2)}
"""The longest times to read everything, a chunk, and 16 values again, as multiples of the
library's times."""


def run(_: Setup) -> list[Row]:
    """Compare large and small reads with the plain library, and a cached chunk with diskcache."""
    values = np.random.default_rng(0).integers(0, 1000, SHAPE).astype("f4")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("v", data=values, chunks=CHUNKS, compression="gzip")
            file["contiguous"] = values
        zarr.create_array(str(folder / "a.zarr"), data=values, chunks=CHUNKS)
        with netCDF4.Dataset(folder / "a.nc", "w") as file:
            for dim, n in zip("tyx", SHAPE, strict=True):
                file.createDimension(dim, n)
            file.createVariable("v", "f4", ("t", "y", "x"), chunksizes=CHUNKS, zlib=True)[:] = (
                values
            )
        rows = []
        time.sleep(SETTLED_SECONDS)
        with h5py.File(folder / "a.h5") as h5, netCDF4.Dataset(folder / "a.nc") as nc:
            pairs = {
                "HDF5, gzip": (biggus.open(folder / "a.h5", "v"), h5["v"]),
                "HDF5, contiguous": (biggus.open(folder / "a.h5", "contiguous"), h5["contiguous"]),
                "Zarr, zstd": (biggus.open(folder / "a.zarr"), zarr.open_array(folder / "a.zarr")),
                "NetCDF-4, zlib, decoded": (biggus.open(folder / "a.nc", "v"), nc["v"]),
            }
            for label, (lazy, plain) in pairs.items():
                rows += _compared(label, lazy, plain, MOST.get(label, (None, None, None)))
        rows.append(_warm_chunk(folder, values[:8, :128, :128].copy()))
    return rows


def _compared(
    label: str, lazy: biggus.Array, plain: object, most: tuple[float | None, ...]
) -> list[Row]:
    rows = []
    # Read with a mask or without, like the library.
    read = _read_masked if isinstance(plain, netCDF4.Variable) else _read
    for (label_of_key, key, calls), limit in zip(
        (
            ("64 MiB", np.s_[:], 1),
            ("one chunk", np.s_[0:8, 128:256, 256:384], 10),
            ("16 values", np.s_[3, 200, 16:32], 50),
        ),
        most,
        strict=True,
    ):
        times = quickest(
            {"plain": partial(getitem, plain, key), "biggus": partial(read, lazy, key)},
            rounds=5 if calls == 1 else 15,
            calls=calls,
        )
        rows.append(
            Row(
                f"{label}: read {label_of_key} again",
                show(times["biggus"]),
                f"the plain library, {show(times['plain'])}",
                times["biggus"] / times["plain"],
                limit,
            )
        )
    return rows


def _read(lazy: biggus.Array, key: object) -> np.ndarray:
    return lazy[key].ndarray()


def _read_masked(lazy: biggus.Array, key: object) -> np.ma.MaskedArray:
    return lazy[key].masked_array()


def _warm_chunk(folder: Path, chunk: np.ndarray) -> Row:
    with biggus.Cache(folder / "cache") as cache, diskcache.Cache(folder / "diskcache") as plain:
        adapted = biggus.ArrayAdapter(chunk, token="a chunk", chunks=chunk.shape, cache=cache)
        adapted.ndarray()
        plain["chunk"] = chunk.tobytes()
        times = quickest(
            {"diskcache": lambda: plain["chunk"], "biggus": adapted.ndarray}, calls=100
        )
    return Row(
        f"one warm chunk of {chunk.nbytes >> 10} KiB, checked",
        show(times["biggus"]),
        f"diskcache, unchecked bytes, {show(times['diskcache'])}",
        times["biggus"] / times["diskcache"],
        None,
    )
