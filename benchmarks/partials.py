"""Cached partial results: the same analysis again, and of a mosaic with one file more."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import biggus
from benchmarks.compute import TWO, agree, show_bytes
from benchmarks.datasets import VARIABLE, dataset
from benchmarks.peers import DTYPE, MEMORY, WORKERS
from benchmarks.timing import Row, show, timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.setup import Setup

FILES = 100
"""The number of files before one more, one percent, is appended."""

MOST = {"again": 0.01, "appended": 0.03}
"""The longest time of a run, as a multiple of the first."""


def run(setup: Setup) -> list[Row]:
    """Compare later runs with the first run, and the first run with one without a cache."""
    with setup.folder() as folder:
        paths = _files(folder, setup)
        rounds = [_round(paths, folder / "partials-cache") for _ in range(setup.size.rounds)]
    seconds = {name: min(times[name] for times in rounds) for name in rounds[0]}
    times, *rest = setup.size.file_shape
    nbytes = 4 * FILES * times * rest[0] * rest[1]
    return [
        _row(f"{FILES} HDF5 files, {show_bytes(nbytes)}: mean and std, kept", seconds, "first"),
        _row("the same again", seconds, "again"),
        _row("the same again, reopened", seconds, "opened"),
        _row("the same with one file more", seconds, "appended"),
    ]


def _row(work: str, seconds: dict[str, float], name: str) -> Row:
    other = "plain" if name == "first" else "first"
    compared = {"plain": "without a cache", "first": "the first time"}[other]
    ratio = seconds[name] / seconds[other]
    return Row(
        work, show(seconds[name]), f"{compared}, {show(seconds[other])}", ratio, MOST.get(name)
    )


def _files(folder: Path, setup: Setup) -> list[Path]:
    """Write the files; the last one is appended later."""
    times, *rest = setup.size.file_shape
    chunks = (times, *setup.size.chunks[1:])
    place = folder / f"{times}x{rest[0]}x{rest[1]}-files"
    place.mkdir(exist_ok=True)
    return [
        dataset(place, "gzip", setup.size._replace(shape=(times, *rest), chunks=chunks), number)
        for number in range(FILES + 1)
    ]


def _round(paths: Sequence[Path], folder: Path) -> dict[str, float]:
    """Return the seconds of the runs; each run finds the partial results of those before."""
    shutil.rmtree(folder, ignore_errors=True)
    seconds = {}
    with _options(cache=False):
        plain = _open_joined(paths[:FILES])
        expected = _compute(plain)
        seconds["plain"] = timed(lambda: _compute(plain))
    with biggus.Cache(folder) as cache, _options(cache=cache):
        array = _open_joined(paths[:FILES])
        seconds["first"] = timed(lambda: _compute(array))
    # Another cache object on the same folder: the next runs find only entries on the disk.
    with biggus.Cache(folder) as cache, _options(cache=cache):
        again, grown = _open_joined(paths[:FILES]), _open_joined(paths)
        seconds["again"] = timed(lambda: _compute(again))
        seconds["opened"] = timed(lambda: _compute(_open_joined(paths[:FILES])))
        agree("what is kept", expected, _compute(again))
        seconds["appended"] = timed(lambda: _compute(grown))
    shutil.rmtree(folder, ignore_errors=True)
    return seconds


def _options(cache: Any) -> Any:
    return biggus.set_options(memory=MEMORY, workers=WORKERS, cache=cache)


def _open_joined(paths: Sequence[Path]) -> biggus.Array:
    """Open and join files without caching their chunks; only partial results are cached."""
    arrays = [biggus.open(path, VARIABLE, cache=False) for path in paths]
    return biggus.LinearMosaic(arrays, axis=0)


def _compute(a: Any) -> dict[str, float]:
    results = biggus.ndarrays([getattr(a, name)(**DTYPE[name]) for name in TWO])
    return {name: float(result) for name, result in zip(TWO, results, strict=True)}
