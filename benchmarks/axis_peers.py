"""Work against the grain of the chunks, by biggus and by others: a process for each.

``python -m benchmarks.axis_peers WORK PEER FOLDER MEMORY`` does it once, and answers with a line of
JSON: the seconds that it took on the clock and of the processor, how much the peak of the memory
rose, and some numbers that are the same for all.
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
from benchmarks.limit import gunzipped, hdf5_chunks
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
"""What each imports, before its time begins."""

MAPS = "maps.zarr"
"""A chunk a time."""

YEARS = "years"
"""A file a year, of twelve months."""


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
    """Return chunks that are long in time, and as small as maps otherwise."""
    return (min(40, shape[0]), -(-shape[1] // 10), -(-shape[2] // 10))


def _told(values: Any) -> list[float]:
    values = np.asarray(values, "f8")
    return [float(values.mean()), float(values.flat[values.size // 3])]


def percentile_by_biggus(folder: Path, memory: int) -> list[float]:
    """The 95th percentile over time."""
    biggus = _biggus(memory)
    return _told(biggus.percentile(biggus.open(folder / MAPS), 95, axis=0).ndarray())


def percentile_by_xarray(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """The same of an array of dask, which needs all of a line in one chunk."""
    import xarray

    da = _dask().array
    stored = _stored(folder)
    lazy = da.from_array(stored, chunks=stored.chunks)
    chunks = {"t": -1, "y": -(-stored.shape[1] // 7), "x": -(-stored.shape[2] // 7)}
    array = xarray.DataArray(lazy, dims=("t", "y", "x")).chunk(chunks)
    return _told(array.quantile(0.95, "t", skipna=False).values)


def median_by_biggus(folder: Path, memory: int) -> list[float]:
    """The median of everything."""
    biggus = _biggus(memory)
    return [float(biggus.median(biggus.open(folder / MAPS)).ndarray())]


def median_by_pass(folder: Path, memory: int) -> list[float]:
    """No median: what one pass over the data takes."""
    biggus = _biggus(memory)
    biggus.open(folder / MAPS).max().ndarray()
    return []


def rechunk_by_biggus(folder: Path, memory: int) -> list[float]:
    """Save maps as columns."""
    biggus = _biggus(memory)
    a = biggus.open(folder / MAPS)
    out = folder / "biggus.zarr"
    biggus.save(a, out, chunks=_columns(a.shape), overwrite=True)
    with biggus.set_options(chunk_memory=0):  # to look at it is no part of the work
        return _told(biggus.open(out)[a.shape[0] // 2].ndarray())


def rechunk_by_zarr(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """Decode all into memory, and encode it: each chunk once."""
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
    return _told(out[stored.shape[0] // 2])


def _each(work: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Do work on as many threads as all others have."""
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, items))


def rechunk_by_codecs(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """Nothing but decode each map into memory, and encode each column from there."""
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


def climatology_by_codecs(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """Nothing but decode each map once, take the mean of a month from it, and encode what is left.

    That needs the maps of all years in memory at once, a month after the other.
    """
    stored = [hdf5_chunks(file) for file in sorted((folder / YEARS).glob("*.nc"))]
    shape, _ = stored[0]
    inflate = gunzipped()
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


def rechunk_by_dask(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """Rechunk an array of dask, and store it."""
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
    return _told(out[stored.shape[0] // 2])


def climatology_by_biggus(folder: Path, memory: int) -> list[float]:
    """The mean of each month over all years, and how far each month of a year is from it."""
    biggus = _biggus(memory)
    files = sorted((folder / YEARS).glob("*.nc"))
    a = biggus.ArrayStack([biggus.open(file, VARIABLE) for file in files])
    mean = a.mean(axis=0)
    out = folder / "climatology-biggus.zarr"
    biggus.save([mean, a - mean], [f"{out}::mean", f"{out}::anomaly"], overwrite=True)
    with biggus.set_options(chunk_memory=0):
        return _told(biggus.open(f"{out}::anomaly")[3, 7].ndarray())


def climatology_by_xarray(folder: Path, memory: int) -> list[float]:  # noqa: ARG001 - it has no budget
    """The same by the months of the times."""
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
    return _told(xarray.open_zarr(out)["anomaly"][3 * 12 + 7].values)


def main() -> None:
    """Do one piece of work."""
    work, peer, folder, memory = sys.argv[1:]
    call: Callable[[Path, int], list[float]] = globals()[f"{work}_by_{peer}"]
    for module in ("netCDF4", "zarr", *LIBRARIES.get(peer, (peer,))):
        importlib.import_module(module)
    before = peak_bytes()
    started, spent = time.perf_counter(), time.process_time()
    told = call(Path(folder), int(memory))
    answer = {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - spent,
        "peak": peak_bytes() - before,
        "told": told,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
