"""Reading piece by piece, across the chunks, compared with the plain libraries.

Each library reads a whole gzipped variable, one step or a few rows at a time, starting with
empty memory.  Another benchmark reads single chunks of a dataset of very many.
"""

from __future__ import annotations

import math
import time
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any

import h5py
import netCDF4
import numpy as np
import zarr

import biggus
from benchmarks.datasets import VARIABLE, field
from benchmarks.timing import Row, quickest, show
from biggus.sources.chunk_memory import chunk_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.setup import Setup

STEPS = 50
"""Steps per chunk; the variable has three times as many."""

ROWS, SLAB = 64, 4
"""Rows of a chunk, and rows per read."""

LIBRARY_CACHE = {"rdcc_nbytes": 256 * 2**20, "rdcc_nslots": 10_007}
"""The chunk cache of h5py per dataset; biggus has as much for all datasets."""

MOST_LOOK_SECONDS = 50e-6

SETTLED_SECONDS = 2.5
"""Seconds after which a new file is trusted not to change."""


def run(setup: Setup) -> list[Row]:
    """Compare loops over a variable, and reads from one of many chunks."""
    with setup.folder() as folder:
        return [*_steps(folder, setup), *_slabs(folder, setup), *_lookups(folder, setup)]


def _steps(folder: Path, setup: Setup) -> list[Row]:
    _, rows, columns = setup.size.shape
    shape, chunks = (3 * STEPS, rows, columns), (STEPS, -(-rows // 4), -(-columns // 4))
    hdf5, netcdf = folder / "steps.h5", folder / "steps.nc"
    if not netcdf.exists():
        values = field(0, shape)
        _write_hdf5(hdf5, values, chunks)
        _write_netcdf(netcdf, values, chunks)
        time.sleep(SETTLED_SECONDS)
    quarter = STEPS * math.prod(shape[1:]) * 4 // 4
    times = quickest(
        {
            "netCDF4": partial(_netcdf_steps, netcdf),
            "h5py": partial(_hdf5_pieces, hdf5, 1),
            "HDF5": partial(_biggus_pieces, hdf5, 1),
            "NetCDF-4": partial(_biggus_pieces, netcdf, 1),
        },
        rounds=min(3, setup.size.rounds),
    )
    times |= quickest(
        {
            "quarter": partial(_biggus_pieces, hdf5, 1, quarter, STEPS),
            "none": partial(_biggus_pieces, hdf5, 1, 0, STEPS),
        },
        rounds=1,
    )
    work = f"gzip, chunks of {STEPS} steps: {shape[0]} steps one by one"
    library = times["netCDF4"]
    found = [
        Row(
            f"{name}, {work}",
            show(times[name]),
            f"netCDF4-python, {show(library)}",
            times[name] / library,
            1.1,
        )
        for name in ("HDF5", "NetCDF-4")
    ]
    plain = times["h5py"]
    compared = f"h5py with a cache of 256 MiB, {show(plain)}"
    found.insert(1, Row("the same", show(times["HDF5"]), compared, times["HDF5"] / plain, None))
    some, none = times["quarter"], times["none"]
    compared = f"with none, {show(none)}"
    work = f"the first {STEPS} of them, with a quarter of a row of chunks as `chunk_memory`"
    return [*found, Row(f"HDF5: {work}", show(some), compared, some / none, 1.0)]


def _slabs(folder: Path, setup: Setup) -> list[Row]:
    columns = setup.size.shape[2]
    shape, chunks = (8 * ROWS, 8 * columns), (ROWS, 2 * columns)
    hdf5, stored = folder / "slabs.h5", folder / "slabs.zarr"
    if not stored.exists():
        values = field(0, (1, *shape))[0]
        _write_hdf5(hdf5, values, chunks)
        zarr.create_array(str(stored), name=VARIABLE, data=values, chunks=chunks)
        time.sleep(SETTLED_SECONDS)
    times = quickest(
        {
            "h5py": partial(_hdf5_pieces, hdf5, SLAB),
            "zarr": partial(_zarr_slabs, stored),
            "HDF5": partial(_biggus_pieces, hdf5, SLAB),
            "Zarr": partial(_biggus_pieces, stored, SLAB),
        },
        rounds=min(3, setup.size.rounds),
    )
    work = f"{shape[0]} rows as slabs of {SLAB} over chunks of {ROWS} rows"
    return [
        Row(
            f"{name}, {codec}: {work}",
            show(times[name]),
            f"{library}, {show(times[peer])}",
            times[name] / times[peer],
            most,
        )
        for name, codec, peer, library, most in (
            ("HDF5", "gzip", "h5py", "h5py with a cache of 256 MiB", 1.1),
            ("Zarr", "zstd", "zarr", "zarr-python", 0.2),
        )
    ]


def _lookups(folder: Path, setup: Setup) -> list[Row]:
    count = 10 * setup.size.tiny_chunks
    path = folder / f"many-{count}.h5"
    if not path.exists():
        chunk = np.arange(16, dtype="f4").tobytes()
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset(VARIABLE, (16 * count,), "f4", chunks=(16,))
            for number in range(count):
                dataset.id.write_direct_chunk((16 * number,), chunk)
        time.sleep(SETTLED_SECONDS)
    places = np.random.default_rng(0).permutation(count)[:500].tolist()
    pace = max(16, count // 1000)
    # Other chunks each time, because the library keeps the chunks that it has read.
    strides = [np.s_[16 * first : count // 10 : pace] for first in range(pace // 16)][:9]
    with h5py.File(path) as file:
        plain = file[VARIABLE]
        lazy = biggus.open(path, VARIABLE)
        # Imports on first use do not count.
        biggus.open(folder / "slabs.h5", VARIABLE)[0, :5].ndarray()
        first = {"h5py": _seconds(lambda: plain[3:8])}
        first["biggus"] = _seconds(lazy[3:8].ndarray)
        each = {
            "h5py": _median(lambda place: plain[16 * place : 16 * place + 5], places),
            "biggus": _median(lambda place: lazy[16 * place : 16 * place + 5].ndarray(), places),
        }
        strided = {
            "h5py": min(_seconds(partial(getitem, plain, stride)) for stride in strides),
            "biggus": min(_seconds(lazy[stride].ndarray) for stride in strides),
        }
    work = f"HDF5: 5 values of {count:,} chunks"
    mine = each["biggus"]
    return [
        Row(
            f"{work}, the first time",
            show(first["biggus"]),
            f"h5py, {show(first['h5py'])}",
            first["biggus"] / first["h5py"],
            2,
        ),
        Row(
            f"{work}, of another chunk each time",
            show(mine),
            show(MOST_LOOK_SECONDS),
            mine / MOST_LOOK_SECONDS,
            1,
        ),
        Row("the same", show(mine), f"h5py, {show(each['h5py'])}", mine / each["h5py"], None),
        Row(
            f"HDF5: a value of each of 100 of {count:,} chunks, with a stride, others each time",
            show(strided["biggus"]),
            f"h5py, {show(strided['h5py'])}",
            strided["biggus"] / strided["h5py"],
            3,
        ),
    ]


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(work: Callable[[Any], Any], places: Sequence[Any]) -> float:
    return float(np.median([_seconds(partial(work, place)) for place in places]))


def _write_hdf5(path: Path, values: np.ndarray, chunks: tuple[int, ...]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(VARIABLE, data=values, chunks=chunks, compression="gzip", shuffle=True)


def _write_netcdf(path: Path, values: np.ndarray, chunks: tuple[int, ...]) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for dim, n in zip("tyx", values.shape, strict=True):
            file.createDimension(dim, n)
        options = {"zlib": True, "shuffle": True, "chunksizes": chunks}
        file.createVariable(VARIABLE, "f4", ("t", "y", "x"), **options)[:] = values


def _netcdf_steps(path: Path) -> None:
    with netCDF4.Dataset(path) as file:
        variable = file[VARIABLE]
        for step in range(variable.shape[0]):
            variable[step]


def _hdf5_pieces(path: Path, length: int) -> None:
    with h5py.File(path, **LIBRARY_CACHE) as file:
        dataset = file[VARIABLE]
        for start in range(0, dataset.shape[0], length):
            dataset[start : start + length]


def _zarr_slabs(path: Path) -> None:
    array = zarr.open_array(path, path=VARIABLE, mode="r")
    for start in range(0, array.shape[0], SLAB):
        array[start : start + SLAB]


def _biggus_pieces(
    path: Path, length: int, room: int = 256 * 10**6, stop: int | None = None
) -> None:
    chunk_memory.clear()
    with biggus.set_options(chunk_memory=room):
        array = biggus.open(path, VARIABLE)
        for start in range(0, stop or array.shape[0], length):
            array[start : start + length].ndarray()
