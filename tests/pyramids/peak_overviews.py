"""A program, run by the tests, that measures the peak memory of making overviews.

For each named case it writes a line of JSON: by how many bytes the resident memory of the
process grew at most.  Only Linux reports the peak of a part of a process's life.
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
"""The memory budget, in bytes."""

ALLOWED = 24 * 2**20
"""Bytes allowed beyond it, for memory that allocators keep and pages of the cache's index."""

SIDE = 4096


class Generated(Source):
    """Values generated on read."""

    owns_data = True
    name = "generated"

    def __init__(self, shape, chunks, dtype="f4", missing=False):
        self.shape, self.chunks, self.dtype = shape, chunks, np.dtype(dtype)
        self.token = f"generated {shape} {dtype} {missing}"
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
    "blocks": lambda times: Generated((_rows(times), SIDE), (256, 512)),
    "missing": lambda times: Generated((_rows(times), SIDE), (256, 512), missing=True),
    "bytes": lambda times: Generated((_rows(times, 1), SIDE), (512, 512), "u1"),
    "chunkless": lambda times: Generated((_rows(times) // 64, 64, SIDE), None),
    "planes": lambda times: Generated((_rows(times) // 1024 + 1, 1024, SIDE), (1, 1024, SIDE)),
    "deep": lambda times: Generated((_rows(times) // 1024 + 1, 1024, SIDE), (8 * times, 256, 256)),
}
"""By name: a function that makes a source of N times the budget."""


def measured(name, times):
    source = CASES[name](times)
    array = biggus.ArrayAdapter(source)
    small = biggus.ArrayAdapter(Generated((600, 600), (100, 100)))
    with (
        tempfile.TemporaryDirectory() as folder,
        biggus.Cache(folder, size_limit="100 MB") as cache,
        biggus.set_options(memory=MEMORY, workers=2),
    ):
        biggus.overviews(small, cache=cache)  # imports modules and starts threads
        return peak_of(lambda: biggus.overviews(array, cache=cache))


def main():
    for spec in sys.argv[1:]:
        name, _, times = spec.partition("*")
        sys.stdout.write(json.dumps({spec: measured(name, int(times))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
