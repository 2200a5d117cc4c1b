"""Overviews: the time to build them, and the bytes that a picture of a large array reads."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zarr
from matplotlib.backends.backend_agg import FigureCanvasAgg

import biggus
from benchmarks.compute import show_bytes
from benchmarks.datasets import PLAIN, STORES, VARIABLE, dataset, drop, remove
from benchmarks.limit import halve
from benchmarks.timing import Row, both_quickest, show
from benchmarks.viewer import HEIGHT, WIDTH, axes
from biggus.testing import RecordingSource
from biggus.viewer.plotting import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.setup import Setup

WORKERS = 2
BUILT = ("gzip", "zstd", "plain", "contiguous")
MOST_BUILDING = 1.3
"""The longest time to build overviews, as a multiple of one pass over the array."""

MOST_BYTES = 4 * 10**6
"""The most bytes that a view of a whole array with overviews may read."""

CHUNK = 1024
"""Rows and columns of each chunk of the Zarr array in the views."""


def run(setup: Setup) -> list[Row]:
    """Compare building with a pass over the data, and count the bytes that views read."""
    rows = []
    for store in setup.stores or BUILT:
        with setup.folder() as folder:
            path = dataset(folder, store, setup.size)
            rows += building(store, path, setup, cold=False)
            if store == "contiguous" and hasattr(os, "posix_fadvise"):
                rows += building(store, path, setup, cold=True)
    with setup.folder() as folder:
        rows += views(folder, setup)
    return rows


def building(store: str, path: Path, setup: Setup, cold: bool) -> list[Row]:
    """Time building all overviews of a dataset, in an empty cache and in memory.

    If `cold`, the dataset is read from the disk, as if it were larger than memory.
    """
    location = (path, VARIABLE) if path.suffix == ".h5" else (path,)
    array = biggus.open(*location, cache=False)
    rounds = (setup.size.rounds + 1) // 2
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as name,
        contextlib.ExitStack() as stack,
        # Results of earlier rounds must not be reused.
        biggus.set_options(workers=WORKERS, keep_partials=False, chunk_memory=0),
    ):
        folder = Path(name)
        numbers = itertools.count()

        def build_in_cache() -> object:
            cache = stack.enter_context(biggus.Cache(folder / f"cache {next(numbers)}"))
            return biggus.overviews(array, cache=cache)

        works: dict[str, Callable[[], object]] = {
            "mean": lambda: array.mean().ndarray(),
            "machine": lambda: halve(path, array.shape[-1], folder, WORKERS),
            "kept": build_in_cache,
        }
        if not cold:
            works["memory"] = lambda: biggus.overviews(array, cache=False)
        times = both_quickest(works, rounds, lambda: drop(path) if cold else None)
    store_name = (STORES | PLAIN)[store] + (", not in the system's memory" if cold else "")
    work = f"{store_name}: overviews of {show_bytes(setup.size.nbytes)}"
    mean, least, in_cache = times["mean"], times["machine"], times["kept"]
    one_pass = f"one pass, `a.mean()`, {show(mean.seconds)}"
    most = MOST_BUILDING if store == "gzip" or cold else None
    rows = [
        Row(f"{work}, kept", show(in_cache.seconds), one_pass, in_cache[0] / mean[0], most),
        Row(
            "the same, time of all cores",
            show(in_cache.cpu),
            f"one pass, {show(mean.cpu)}",
            in_cache.cpu / mean.cpu,
            None,
        ),
        Row(
            "the same",
            show(in_cache.cpu),
            "the machine: `preadv`, decoding, sums of pairs, two threads, two files, "
            f"{show(least.cpu)}: {least.cpu / mean.cpu:.2g} of one pass",
            in_cache.cpu / least.cpu,
            None,
        ),
    ]
    if not cold:
        memory = times["memory"].seconds
        rows.append(Row(f"{work}, in memory", show(memory), one_pass, memory / mean.seconds, None))
    return rows


def views(folder: Path, setup: Setup) -> list[Row]:
    """Count the bytes that a picture of a whole array reads, with and without overviews."""
    array = biggus.open(_large(folder, setup), cache=False)
    source = RecordingSource(array.node.source)
    recorded = biggus.ArrayAdapter(source)
    with biggus.set_options(chunk_memory=0):  # the chunks of the first read must not be reused
        _read_by(recorded)  # imports modules
        source.clear()
        _, sampled_text = _read_by(recorded)
    assert sampled_text is not None
    # Constant chunks are tiny on disk: count their decoded size.
    sampled = len(source.chunks_touched()) * CHUNK * CHUNK * array.itemsize
    with (
        tempfile.TemporaryDirectory() as folder_of_cache,
        biggus.Cache(folder_of_cache) as cache,
        biggus.set_options(workers=WORKERS),
    ):
        read, sampled_with_overviews = _read_by(biggus.overviews(array, cache=cache))
    assert sampled_with_overviews is None
    work = f"all of a Zarr of {show_bytes(array.nbytes)} in {WIDTH} × {HEIGHT} pixels"
    most, budget = show_bytes(MOST_BYTES), show_bytes(SAMPLE_BYTES)
    return [
        Row(f"{work}, with overviews: read", show_bytes(read), most, read / MOST_BYTES, 1),
        Row(
            f"the same without, “{sampled_text}”: decoded",
            show_bytes(sampled),
            f"the budget, {budget}",
            sampled / SAMPLE_BYTES,
            1,
        ),
    ]


def _large(folder: Path, setup: Setup) -> Path:
    """Return a Zarr array ten times as large as the dataset, with constant chunks."""
    rows = max(4 * CHUNK, math.isqrt(10 * setup.size.nbytes // 8))
    path = folder / f"{rows}x{2 * rows}.zarr"
    if not path.exists():
        partial = path.with_suffix(".partial")
        remove(partial)
        target = zarr.create_array(
            str(partial), shape=(rows, 2 * rows), chunks=(CHUNK, CHUNK), dtype="f4"
        )
        across = np.arange(2 * rows, dtype="f4") // CHUNK
        for first in range(0, rows, CHUNK):
            slab = np.broadcast_to(across + first, (min(CHUNK, rows - first), 2 * rows))
            target[first : first + CHUNK] = slab
        partial.rename(path)
    return path


def _read_by(shown: biggus.Array | biggus.Pyramid) -> tuple[int, str | None]:
    """Return the bytes of files that a picture of the whole array reads, and its sampling note."""
    ax = axes(FigureCanvasAgg)
    ax.set_axis_off()  # labels would read font files
    before = _bytes_read()
    image = biggus.imshow(shown, ax)
    ax.figure.canvas.draw()
    return _bytes_read() - before, image.sampled


def _bytes_read() -> int:
    """Return the bytes that this process has read from files so far; Linux only."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"])
