"""Work across the chunks: percentiles over time of maps, and maps saved as columns.

Each piece of work runs in a separate process, and the processes take turns.  Measured are
the wall time, the CPU time, and the rise of the peak memory.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.axis_peers import MAPS, YEARS
from benchmarks.compute import show_bytes
from benchmarks.datasets import VARIABLE, field
from benchmarks.timing import Row, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup, Size


class Comparison(NamedTuple):
    """A piece of work, the peer that it is compared with, its memory, and the allowed ratio.

    The peer `codecs` only decodes and encodes the chunks.
    """

    work: str
    name: str
    peer: str
    against: str
    part: float
    """The memory, as a fraction of the size of the data."""

    most: float | None
    least: int = 32 * 2**20
    """The least memory, in bytes."""


COMPARISONS = (
    Comparison("95th percentile over time", "percentile", "xarray", "xarray and dask", 0.5, 0.5),
    Comparison("95th percentile over time", "percentile", "xarray", "xarray and dask", 0.15, 1.5),
    Comparison("median of everything", "median", "pass", "one pass", 0.1, 3),
    Comparison("maps saved as columns", "rechunk", "zarr", "decoding and encoding", 0.25, 2.2),
    Comparison("maps saved as columns", "rechunk", "dask", "dask", 0.25, 0.5),
    Comparison("maps saved as columns", "rechunk", "codecs", "the codecs alone", 0.25, None),
    Comparison(
        "climatology, anomaly of 40 files", "climatology", "xarray", "xarray and dask", 0.5, 0.12
    ),
    Comparison(
        "climatology, anomaly of 40 files", "climatology", "codecs", "the codecs alone", 0.5, None
    ),
)


def run(setup: Setup) -> list[Row]:
    """Run all comparisons, each with less memory than the data need."""
    rows = []
    with setup.folder() as folder:
        for each in COMPARISONS:
            if each.peer in ("xarray", "dask") and not importlib.util.find_spec(each.peer):
                continue
            make = _make_years if each.name == "climatology" else _make_maps
            nbytes = make(folder, setup.size)
            rows += _compared(each, folder, nbytes)
    return rows


def _compared(each: Comparison, folder: Path, nbytes: int) -> list[Row]:
    memory = max(int(each.part * nbytes), each.least)
    own, other = (_run_peer(each.name, peer, folder, memory) for peer in ("biggus", each.peer))
    if other["checks"] and not np.allclose(own["checks"], other["checks"], rtol=1e-3, atol=1e-4):
        raise RuntimeError(f"{each.work}: {each.peer} gives other values: {own}, {other}")
    work = f"{each.work}, {show_bytes(nbytes)} in {show_bytes(memory)}"
    times = [
        Row(
            label,
            show(own[key]),
            f"{each.against}, {show(other[key])}",
            own[key] / other[key],
            most,
        )
        for label, key, most in (
            (work, "cpu", None),
            (f"{work}: by the clock", "seconds", each.most),
        )
    ]
    memory_row = Row(
        f"{work}: peak memory",
        show_bytes(own["peak"]),
        f"what is allowed; {each.against}: {show_bytes(other['peak'])}",
        own["peak"] / memory,
        1,
    )
    return [*times, memory_row]


def _run_peer(name: str, peer: str, folder: Path, memory: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.axis_peers"]
    done = subprocess.run(
        [*command, name, peer, folder, str(memory)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        check=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _make_maps(folder: Path, size: Size) -> int:
    """Write maps, one per time, if they do not exist yet; return their size in bytes."""
    import zarr

    if not (folder / MAPS).exists():
        partial = folder / f"{MAPS}.partial"
        stored = zarr.create_array(
            partial, shape=size.shape, chunks=(1, *size.shape[1:]), dtype="f4", overwrite=True
        )
        for time in range(size.shape[0]):
            stored[time] = field(time, (1, *size.shape[1:]))[0]
        partial.rename(folder / MAPS)
    return size.nbytes


def _make_years(folder: Path, size: Size) -> int:
    """Write forty files of twelve months each, if they do not exist yet; return their size."""
    import netCDF4

    shape = (12, *size.file_shape[1:])
    if not (folder / YEARS).exists():
        partial = folder / f"{YEARS}.partial"
        partial.mkdir(exist_ok=True)
        for year in range(40):
            with netCDF4.Dataset(partial / f"{1980 + year}.nc", "w") as file:
                for dim, n in zip(("time", "y", "x"), shape, strict=True):
                    file.createDimension(dim, n)
                times = file.createVariable("time", "f8", ("time",))
                times.units = f"days since {1980 + year}-01-01"
                times[:] = np.arange(12) * 30.4 + 1
                packed: Any = {"zlib": True, "complevel": 4, "chunksizes": (1, *shape[1:])}
                variable = file.createVariable(VARIABLE, "f4", ("time", "y", "x"), **packed)
                variable[:] = field(12 * year, shape)
        partial.rename(folder / YEARS)
    return 40 * 4 * int(np.prod(shape))
