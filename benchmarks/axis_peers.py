"""Work across the chunks, by biggus and by other libraries, each in a separate process.

``python -m benchmarks.axis_peers WORK PEER FOLDER MEMORY`` does the work once, and prints a line
of JSON: wall seconds, CPU seconds, the rise of the peak memory in bytes, and some values of the
result, which must be equal for all peers.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.datasets import VARIABLE, remove
from benchmarks.limit import gzip_decoder, hdf5_chunks
from benchmarks.worker import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WORKERS = 2
LIBRARIES = {
    "xarray": ("xarray", "dask.array"),
    "dask": ("dask.array",),
    "pass": ("biggus.engine.evaluation",),
    "codecs": ("numcodecs", "h5py"),
    "biggus": ("biggus.engine.evaluation", "biggus.sinks.saving"),
}
"""The modules that each peer imports before the timing."""

MAPS = "maps.zarr"
"""The Zarr array of maps, one chunk per time."""

YEARS = "years"
"""The folder of files, one per year, of twelve months each."""


def _biggus(memory: int) -> Any:
    import biggus

    biggus.set_options(memory=memory, workers=WORKERS)
    return biggus


def _dask() -> Any:
    dask: Any = importlib.import_module("dask")
    importlib.import_module("dask.array")

    dask.config.set(scheduler="threads", num_workers=WORKERS)
    return dask


def _stored(folder: Path) -> Any:
    import zarr

    return zarr.open_array(folder / MAPS, mode="r")


def _columns(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return chunks that are long in time and small in the other axes."""
    return (min(40, shape[0]), -(-shape[1] // 10), -(-shape[2] // 10))


def _checks(values: Any) -> list[float]:
    values = np.asarray(values, "f8")
    return [float(values.mean()), float(values.flat[values.size // 3])]


def percentile_by_biggus(folder: Path, memory: int) -> list[float]:
    """Compute the 95th percentile over time."""
    biggus = _biggus(memory)
    return _checks(biggus.percentile(biggus.open(folder / MAPS), 95, axis=0).ndarray())


def percentile_by_xarray(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Compute it over a dask array; dask needs the whole axis in one chunk."""
    import xarray

    da = _dask().array
    stored = _stored(folder)
    lazy = da.from_array(stored, chunks=stored.chunks)
    chunks = {"t": -1, "y": -(-stored.shape[1] // 7), "x": -(-stored.shape[2] // 7)}
    array = xarray.DataArray(lazy, dims=("t", "y", "x")).chunk(chunks)
    return _checks(array.quantile(0.95, "t", skipna=False).values)


def median_by_biggus(folder: Path, memory: int) -> list[float]:
    """Compute the median of all values."""
    biggus = _biggus(memory)
    return [float(biggus.median(biggus.open(folder / MAPS)).ndarray())]


def median_by_pass(folder: Path, memory: int) -> list[float]:
    """Do one pass over the data, without a median."""
    biggus = _biggus(memory)
    biggus.open(folder / MAPS).max().ndarray()
    return []


def rechunk_by_biggus(folder: Path, memory: int) -> list[float]:
    """Save maps as columns."""
    biggus = _biggus(memory)
    a = biggus.open(folder / MAPS)
    out = folder / "biggus.zarr"
    biggus.save(a, out, chunks=_columns(a.shape), overwrite=True)
    with biggus.set_options(chunk_memory=0):  # the check is not part of the work
        return _checks(biggus.open(out)[a.shape[0] // 2].ndarray())


def rechunk_by_zarr(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Decode all chunks into memory, and encode each chunk once."""
    import zarr

    stored = _stored(folder)
    values = stored[:]
    out = zarr.create_array(
        folder / "zarr.zarr",
        shape=stored.shape,
        chunks=_columns(stored.shape),
        dtype=stored.dtype,
        overwrite=True,
        zarr_format=2,
    )
    out[:] = values
    return _checks(out[stored.shape[0] // 2])


def _each(work: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Do work in as many threads as all peers use."""
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, items))


def rechunk_by_codecs(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Only decode each map into memory, and encode each column."""
    stored = _stored(folder)
    shape, lengths = stored.shape, _columns(stored.shape)
    codec = importlib.import_module("numcodecs").Zstd(level=0)
    for first in range(0, shape[0], lengths[0]):
        maps = np.zeros((min(lengths[0], shape[0] - first), *shape[1:]), "f4")

        def decode(time: int, first: int = first, maps: Any = maps) -> None:
            encoded = (folder / MAPS / "c" / str(first + time) / "0" / "0").read_bytes()
            codec.decode(encoded, maps[time])

        def encode(corner: tuple[int, int], maps: Any = maps) -> None:
            y, x = corner
            part = maps[:, y : y + lengths[1], x : x + lengths[2]]
            codec.encode(np.ascontiguousarray(part))

        _each(decode, range(len(maps)))
        starts = [range(0, n, step) for n, step in zip(shape[1:], lengths[1:], strict=True)]
        _each(encode, itertools.product(*starts))
    return []


def climatology_by_codecs(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Only decode each map once, subtract the mean of its month, and encode the difference.

    That needs the maps of all years in memory, one month after the other.
    """
    stored = [hdf5_chunks(file) for file in sorted((folder / YEARS).glob("*.nc"))]
    shape, _ = stored[0]
    inflate = gzip_decoder()
    codec = importlib.import_module("numcodecs").Blosc("lz4", 5, 1)
    for month in range(len(stored[0][1])):
        maps = np.empty((len(stored), *shape), "f4")

        def decode(year: int, month: int = month, maps: Any = maps) -> None:
            chunk = stored[year][1][month]
            with Path(chunk.path).open("rb") as file:
                file.seek(chunk.offset)
                inflate(file.read(chunk.nbytes), maps[year].reshape(-1).view("u1"))

        def encode(year: int, maps: Any = maps) -> None:
            codec.encode(maps[year])

        _each(decode, range(len(stored)))
        maps -= maps.mean(axis=0, dtype="f8").astype("f4")
        _each(encode, range(len(stored)))
    return []


def rechunk_by_dask(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Rechunk a dask array, and store it."""
    import zarr

    da = _dask().array
    stored = _stored(folder)
    chunks = _columns(stored.shape)
    out = zarr.create_array(
        folder / "dask.zarr",
        shape=stored.shape,
        chunks=chunks,
        dtype=stored.dtype,
        overwrite=True,
        zarr_format=2,
    )
    da.store(da.from_array(stored, chunks=stored.chunks).rechunk(chunks), out, lock=False)
    return _checks(out[stored.shape[0] // 2])


def climatology_by_biggus(folder: Path, memory: int) -> list[float]:
    """Compute the mean of each month over all years, and the anomaly of each month."""
    biggus = _biggus(memory)
    files = sorted((folder / YEARS).glob("*.nc"))
    a = biggus.ArrayStack([biggus.open(file, VARIABLE) for file in files])
    mean = a.mean(axis=0)
    out = folder / "climatology-biggus.zarr"
    biggus.save([mean, a - mean], [f"{out}::mean", f"{out}::anomaly"], overwrite=True)
    with biggus.set_options(chunk_memory=0):
        return _checks(biggus.open(f"{out}::anomaly")[3, 7].ndarray())


def climatology_by_xarray(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - no memory limit
    """Compute them by the months of the time coordinate."""
    import xarray

    _dask()
    files = sorted((folder / YEARS).glob("*.nc"))
    several = xarray.open_mfdataset(files, combine="nested", concat_dim="time", chunks={"time": 1})
    months = several[VARIABLE].groupby("time.month")
    mean = months.mean("time")
    found = xarray.Dataset({"mean": mean, "anomaly": (months - mean).drop_vars("month")})
    out = folder / "climatology-xarray.zarr"
    remove(out)
    found.drop_encoding().to_zarr(out, zarr_format=2)
    return _checks(xarray.open_zarr(out)["anomaly"][3 * 12 + 7].values)


def main() -> None:
    """Do one piece of work, and print the measurements."""
    work, peer, folder, memory = sys.argv[1:]
    call: Callable[[Path, int], list[float]] = globals()[f"{work}_by_{peer}"]
    for module in ("netCDF4", "zarr", *LIBRARIES.get(peer, (peer,))):
        importlib.import_module(module)
    before = peak_bytes()
    started, spent = time.perf_counter(), time.process_time()
    checks = call(Path(folder), int(memory))
    answer = {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - spent,
        "peak": peak_bytes() - before,
        "checks": checks,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
