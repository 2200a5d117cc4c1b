"""xarray over biggus, compared with xarray over h5netcdf and dask: many files, and large ones."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import biggus
from benchmarks.compute import show_bytes
from benchmarks.peers import WORKERS
from benchmarks.timing import Row, quickest, show
from benchmarks.worker import peak_bytes
from biggus.backends.netcdf.alike import known_examples
from biggus.datasets.recording import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.setup import Setup

FILES = {"tiny": 4, "small": 100, "full": 2000}
"""The number of files to open, by size."""

PARTS = 40
"""The number of files of the data to compute with."""

YEARS = 20
"""The number of years of small maps, of which each day has a group of its own."""

JOINED = {"combine": "nested", "concat_dim": "time", "data_vars": "minimal"}
JOINED |= {"coords": "minimal", "compat": "override", "join": "override"}


def run(setup: Setup) -> list[Row]:
    """Compare the engines, if xarray, h5netcdf and dask are installed."""
    try:
        import dask.array
        import h5netcdf
        import xarray as xr
    except ImportError:
        return []
    del dask.array, h5netcdf
    if "biggus" not in xr.backends.list_engines():
        return []  # an older editable installation has no engine
    with setup.folder() as folder, _quietly():
        place = folder / "xarray"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        count = FILES["tiny" if setup.size.rounds == 1 else "small"]
        if setup.size.shape[0] > 100:
            count = FILES["full"]
        many = _write(xr, place / "many", count, (1, 45, 90), 0)
        times, *rest = setup.size.shape
        few = _write(xr, place / "few", min(PARTS, times), (max(1, times // PARTS), *rest), 24)
        years = _write(xr, place / "years", min(YEARS, times // 4), (365, 45, 90), 73)
        works = list(WORKS)
        return [
            *_of_many(xr, many),
            *_of_few(few, works[:-1], setup.size.rounds, (1 / 3, 1 / 2)),
            *_of_few(years, works[-1:], setup.size.rounds, (1, 1)),
        ]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        biggus.set_options(memory="200 MB", workers=WORKERS, cache=False),
    ):
        warnings.simplefilter("ignore")
        yield


def _write(xr: Any, folder: Path, count: int, shape: tuple[int, ...], chunk: int) -> list[Path]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    start = np.datetime64("2001-01-01", "ns")
    paths = []
    for number in range(count):
        days = start + (number * shape[0] + np.arange(shape[0])) * np.timedelta64(1, "D")
        values = rng.normal(280, 5, shape).astype("f4")
        ds = xr.Dataset(
            {"t": (("time", "lat", "lon"), values)},
            {
                "time": days.astype("M8[ns]"),
                "lat": np.linspace(-90, 90, shape[1]),
                "lon": np.linspace(0, 360, shape[2]),
            },
        )
        paths.append(folder / f"{number:05}.nc")
        encoding = {"chunksizes": (min(chunk, shape[0]), *[min(n, 181) for n in shape[1:]])}
        ds.to_netcdf(paths[-1], engine="h5netcdf", encoding={"t": encoding if chunk else {}})
    return paths


def _of_many(xr: Any, paths: list[Path]) -> list[Row]:
    from benchmarks.ready import Ready, datasets
    from biggus.xarray import open as open_joined
    from biggus.xarray.engine import Engine

    def by(engine: Any) -> Any:
        return xr.open_mfdataset(paths, engine=engine, **JOINED)

    def own() -> Any:
        return open_joined(paths, concat_dim="time")

    def forget_and_open(opening: Callable[[], Any]) -> Any:
        remembered.clear()
        known_examples.clear()
        return opening()

    def mean(opened: Any) -> Any:
        return opened["t"].mean("time").values

    expected = mean(by("h5netcdf"))
    for opened in (by("biggus"), own()):
        np.testing.assert_allclose(mean(opened), expected, rtol=1e-5)
    datasets.update({str(path): Engine().open_dataset(path) for path in paths})
    works = {
        "h5netcdf": lambda: by("h5netcdf"),
        "h5netcdf, mean": lambda: mean(by("h5netcdf")),
        "ready": lambda: by(Ready),
        "own, mean": lambda: mean(forget_and_open(own)),
        "own": lambda: forget_and_open(own),
        "own again": own,
        "engine, mean": lambda: mean(forget_and_open(lambda: by("biggus"))),
        "engine": lambda: forget_and_open(lambda: by("biggus")),
        "engine again": lambda: by("biggus"),
    }
    seconds = quickest(works, 2)
    datasets.clear()
    own, engine = (
        f"`{name}` of {len(paths)} files" for name in ("biggus.xarray.open", "open_mfdataset")
    )
    theirs, theirs_mean = seconds["h5netcdf"], seconds["h5netcdf, mean"]
    ready, again = seconds["ready"], seconds["engine again"]
    nothing = f"xarray, an engine that does nothing, {show(ready)}"
    return [
        _row(own, seconds["own"], theirs, 0.1),
        _row(f"{own}, and a mean over time", seconds["own, mean"], theirs_mean, 1 / 15),
        _row(f"{own} once more", seconds["own again"], theirs, 1 / 50),
        _row(engine, seconds["engine"], theirs, 0.1),
        _row(f"{engine}, and a mean over time", seconds["engine, mean"], theirs_mean, 1 / 15),
        Row(f"xarray: {engine} once more", show(again), nothing, again / ready, 2),
    ]


def _climatology(t: Any) -> Any:
    grouped = t.groupby("time.month")
    return (grouped - grouped.mean()).std("time")


def _weighted(t: Any) -> Any:
    weights = np.cos(np.deg2rad(t["lat"]))
    return (t * weights).sum(("lat", "lon")) / (weights.sum() * t.sizes["lon"])


WORKS: dict[str, Callable[[Any], Any]] = {
    "monthly climatology, and the spread of the anomaly": _climatology,
    "area-weighted mean series": _weighted,
    "95th percentile over time": lambda t: t.quantile(0.95, "time"),
    "rolling mean of 5 days": lambda t: t.rolling(time=5).mean().mean(("lat", "lon")),
    "mean of each day of the year": lambda t: t.groupby("time.dayofyear").mean(),
}
"""The last one is done with small maps of many days."""


def _of_few(
    paths: list[Path], works: list[str], rounds: int, most: tuple[float, float]
) -> list[Row]:
    """Do each piece of work in separate processes, which take turns.

    biggus should take at most these parts of the time and the memory of the other engine.
    """
    rows = []
    for name in works:
        answers: dict[str, list[dict[str, Any]]] = {"biggus": [], "h5netcdf": []}
        for _ in range(min(2, rounds)):
            for engine, found in answers.items():
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.xarrays"]
                arguments = [*command, engine, name, str(paths[0].parent)]
                folder = Path(__file__).parents[1]
                done = subprocess.run(arguments, capture_output=True, cwd=folder, check=True)
                found.append(json.loads(done.stdout))
        own, other = answers["biggus"][0], answers["h5netcdf"][0]
        np.testing.assert_allclose(own["checks"], other["checks"], rtol=1e-3, atol=1e-4)
        seconds = {engine: min(each["seconds"] for each in answers[engine]) for engine in answers}
        peaks = {engine: min(each["peak"] for each in answers[engine]) for engine in answers}
        work = f"{name}, of {len(paths)} files"
        compared = f"xarray, h5netcdf and dask, {show_bytes(peaks['h5netcdf'])}"
        ratio = peaks["biggus"] / max(1, peaks["h5netcdf"])
        rows.append(_row(work, *seconds.values(), most[0]))
        rows.append(
            Row(
                f"xarray: {work}: peak memory",
                show_bytes(peaks["biggus"]),
                compared,
                ratio,
                most[1],
            )
        )
    return rows


def main() -> None:
    """Do one piece of work, ``ENGINE WORK FOLDER``, and print its measurements as JSON."""
    engine, name, folder = sys.argv[1:]
    for module in ("dask.array", "h5netcdf", "flox", "biggus.engine.evaluation"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    xr: Any = importlib.import_module("xarray")
    dask: Any = importlib.import_module("dask")
    with _quietly(), dask.config.set(scheduler="threads", num_workers=WORKERS):
        lazy = xr.open_mfdataset(sorted(Path(folder).glob("*.nc")), engine=engine, **JOINED)["t"]
        if engine != "biggus" and "percentile" in name:
            lazy = lazy.chunk(time=-1, lat=20)  # dask needs the whole axis in one chunk
        before, started = peak_bytes(), time.perf_counter()
        values = WORKS[name](lazy).values
        seconds = time.perf_counter() - started
    checks = [float(np.nanmean(values, dtype="f8")), float(values.flat[values.size // 3])]
    print(json.dumps({"seconds": seconds, "peak": peak_bytes() - before, "checks": checks}))


def _row(work: str, ours: float, theirs: float, most: float) -> Row:
    compared = f"xarray, h5netcdf and dask, {show(theirs)}"
    return Row(f"xarray: {work}", show(ours), compared, ours / theirs, most)


if __name__ == "__main__":
    main()
