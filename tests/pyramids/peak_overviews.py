"""The peak memory of making overviews, one after the other: a program, which the tests run.

For each case that is named it writes what the process took at most beyond what it had
before, as a line of JSON.  Linux alone tells the peak of a part of a life.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import biggus
from biggus.sources.base import Source, box_shape

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from peaks import peak_of  # beside the tests of the engine

MEMORY = 160 * 2**20
"""The budget."""

ALLOWED = 24 * 2**20
"""Beyond it: what allocators keep that was freed, and the pages of the cache's index."""

SIDE = 4096


class Made(Source):
    """Values made when they are read."""

    owns_data = True
    name = "made"

    def __init__(self, shape, chunks, dtype="f4", missing=False):
        self.shape, self.chunks, self.dtype = shape, chunks, np.dtype(dtype)
        self.token = f"made {shape} {dtype} {missing}"
        self._missing = missing

    def __getitem__(self, box):
        values = np.empty(box_shape(box), self.dtype)
        values[...] = np.arange(values.shape[-1]) % 97
        if self._missing:
            values[..., ::7] = np.nan
        return values

    def validator(self, box):
        return b"always the same"


def _rows(times, itemsize=4):
    return MEMORY * times // SIDE // itemsize


CASES = {
    "blocks": lambda times: Made((_rows(times), SIDE), (256, 512)),
    "missing": lambda times: Made((_rows(times), SIDE), (256, 512), missing=True),
    "bytes": lambda times: Made((_rows(times, 1), SIDE), (512, 512), "u1"),
    "chunkless": lambda times: Made((_rows(times) // 64, 64, SIDE), None),
    "planes": lambda times: Made((_rows(times) // 1024 + 1, 1024, SIDE), (1, 1024, SIDE)),
    "deep": lambda times: Made((_rows(times) // 1024 + 1, 1024, SIDE), (8 * times, 256, 256)),
}
"""By name: what a source of so many times the budget is made by."""


def measured(name, times):
    source = CASES[name](times)
    array = biggus.ArrayAdapter(source)
    small = biggus.ArrayAdapter(Made((600, 600), (100, 100)))
    with (
        tempfile.TemporaryDirectory() as folder,
        biggus.Cache(folder, size_limit="100 MB") as cache,
        biggus.set_options(memory=MEMORY, workers=2),
    ):
        biggus.overviews(small, cache=cache)  # imports what it takes, and starts threads
        return peak_of(lambda: biggus.overviews(array, cache=cache))


def main():
    for argument in sys.argv[1:]:
        name, _, times = argument.partition("*")
        sys.stdout.write(json.dumps({argument: measured(name, int(times))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
