"""Sources of numbers to fill a cache with."""

import numpy as np

from biggus.sources.wrappers import ObjectSource

WHOLE = (slice(0, 1000, 1),)


def numbers(token="numbers", count=1000):
    return ObjectSource(np.arange(count, dtype="f8"), chunks=(100,), token=token)


def fill(cache, token="numbers"):
    cached = cache.wrap(numbers(token))
    cached[WHOLE]
    return cached
