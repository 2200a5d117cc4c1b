"""Overviews: what it takes to make them, and what a picture of a large array reads."""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zarr
from matplotlib.backends.backend_agg import FigureCanvasAgg

import biggus
from benchmarks.compute import show_bytes
from benchmarks.datasets import STORES, VARIABLE, dataset, remove
from benchmarks.timing import Row, quickest, show
from benchmarks.viewer import HEIGHT, WIDTH, axes
from biggus.testing import RecordingSource
from biggus.viewer.plotting import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.setup import Setup

WORKERS = 2
BUILT = ("contiguous", "gzip", "zstd")
MOST_BUILDING = 1.3
"""How long making overviews may take, in times of one pass over the array."""

MOST_BYTES = 4 * 10**6
"""How much a view of all of an array with overviews may read."""

CHUNK = 1024
"""Rows and columns of each chunk of the Zarr that is looked at."""


def run(setup: Setup) -> list[Row]:
    """Compare building with a pass over the data, and count what views of a large Zarr read."""
    rows = []
    for store in setup.stores or BUILT:
        with setup.folder() as folder:
            rows += building(store, dataset(folder, store, setup.size), setup)
    with setup.folder() as folder:
        rows += views(folder, setup)
    return rows


def building(store: str, path: Path, setup: Setup) -> list[Row]:
    """Time making all overviews of a dataset, into a cache that is empty, and into memory."""
    where = (path, VARIABLE) if path.suffix == ".h5" else (path,)
    array = biggus.open(*where, cache=False)
    rounds = (setup.size.rounds + 1) // 2
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.ExitStack() as stack,
        biggus.set_options(workers=WORKERS, keep_partials=False),
    ):
        caches = iter(
            [
                stack.enter_context(biggus.Cache(Path(folder) / str(number)))
                for number in range(rounds + 1)
            ]
        )
        works: dict[str, Callable[[], object]] = {
            "mean": lambda: array.mean().ndarray(),
            "read": lambda: [array[n : n + 24].ndarray().size for n in range(0, len(array), 24)],
            "memory": lambda: biggus.overviews(array, cache=False),
            "kept": lambda: biggus.overviews(array, cache=next(caches)),
        }
        times = quickest(works, rounds)
    work = f"{STORES[store]}: overviews of {show_bytes(setup.size.nbytes)}"
    one_pass = f"one pass, `a.mean()`, {show(times['mean'])}"
    kept, memory = times["kept"], times["memory"]
    return [
        Row(f"{work}, kept", show(kept), one_pass, kept / times["mean"], MOST_BUILDING),
        Row(
            "the same",
            show(kept),
            f"reading it, {show(times['read'])}",
            kept / times["read"],
            None,
        ),
        Row(f"{work}, in memory", show(memory), one_pass, memory / times["mean"], None),
    ]


def views(folder: Path, setup: Setup) -> list[Row]:
    """Count the bytes that a picture of all of an array reads, with overviews and without."""
    array = biggus.open(_large(folder, setup), cache=False)
    source = RecordingSource(array.node.source)
    recorded = biggus.ArrayAdapter(source)
    _read_by(recorded)  # imports what it takes
    source.clear()
    _, told = _read_by(recorded)
    assert told is not None
    # They are stored in next to nothing: what counts is what they are decoded to.
    sampled = len(source.chunks_touched()) * CHUNK * CHUNK * array.itemsize
    with (
        tempfile.TemporaryDirectory() as folder_of_cache,
        biggus.Cache(folder_of_cache) as cache,
        biggus.set_options(workers=WORKERS),
    ):
        read, nothing = _read_by(biggus.overviews(array, cache=cache))
    assert nothing is None
    work = f"all of a Zarr of {show_bytes(array.nbytes)} in {WIDTH} × {HEIGHT} pixels"
    most, budget = show_bytes(MOST_BYTES), show_bytes(SAMPLE_BYTES)
    return [
        Row(f"{work}, with overviews: read", show_bytes(read), most, read / MOST_BYTES, 1),
        Row(
            f"the same without, “{told}”: decoded",
            show_bytes(sampled),
            f"the budget, {budget}",
            sampled / SAMPLE_BYTES,
            1,
        ),
    ]


def _large(folder: Path, setup: Setup) -> Path:
    """Return a Zarr of ten times the size of the dataset, each chunk of it of one value."""
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
    """Return the bytes that a picture of all of it asks files for, and what it says of samples."""
    ax = axes(FigureCanvasAgg)
    ax.set_axis_off()  # labels are drawn from the files of fonts
    before = _bytes_read()
    image = biggus.imshow(shown, ax)
    ax.figure.canvas.draw()
    return _bytes_read() - before, image.sampled


def _bytes_read() -> int:
    """Return how many bytes this process has asked files for so far: Linux alone tells."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"])
