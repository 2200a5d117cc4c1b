"""Arrays whose sources record their reads."""

import numpy as np

import biggus
from biggus.sources.wrappers import ObjectSource
from biggus.testing import RecordingSource


class Held:
    """Values in memory that are read as if they were stored elsewhere."""

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key):
        return self.values[key].copy()


def numbers(shape, seed=0):
    """Return distinct values in random order."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) / 8


def recorded(values, chunks):
    """Return a source that records its reads, and an array over it."""
    source = RecordingSource(ObjectSource(Held(values), chunks=chunks))
    return source, biggus.ArrayAdapter(source)


def times_read(source):
    """Return how often each value was read."""
    times = np.zeros(source.shape, int)
    for box in source.boxes:
        times[box] += 1
    return times
