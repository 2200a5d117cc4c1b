"""Boxes for tests: all boxes of small arrays, a selection for larger ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from biggus.sources.base import Box, whole


def some_boxes(shape: tuple[int, ...], most: int = 200) -> Iterator[Box]:
    """Yield at most `most` boxes of an array: all boxes if there are few, else a selection.

    The selection is always the same: the whole array, corners, single elements and random boxes.
    An empty array has no boxes.

    Examples
    --------
    >>> list(some_boxes((1,)))
    [(slice(0, 1, 1),)]
    >>> len(list(some_boxes((30, 40), most=50)))
    50
    """
    if not all(shape):
        return
    # An axis has one slice for each start, stop, and step up to its length.
    counts = [n * (n + 1) * (n + 2) // 6 for n in shape]
    if math.prod(counts) <= most:
        yield from itertools.product(*(_all_slices(n) for n in shape))
        return
    chosen = itertools.chain(_corners(shape), _random_boxes(shape))
    yield from itertools.islice(chosen, most)


def _all_slices(n: int) -> list[slice]:
    return [
        slice(start, stop, step)
        for start in range(n)
        for stop in range(start + 1, n + 1)
        for step in range(1, stop - start + 1)
    ]


def _corners(shape: tuple[int, ...]) -> Iterator[Box]:
    yield whole(shape)
    yield tuple(slice(0, n, 2) for n in shape)
    yield tuple(slice(n - 1, n, 1) for n in shape)
    yield tuple(slice(0, 1, 1) for n in shape)


def _random_boxes(shape: tuple[int, ...]) -> Iterator[Box]:
    rng = np.random.default_rng(len(shape))
    while True:
        box = []
        for n in shape:
            start = int(rng.integers(n))
            stop = int(rng.integers(start + 1, n + 1))
            step = int(rng.integers(1, stop - start + 1)) if rng.random() < 0.5 else 1
            box.append(slice(start, stop, step))
        yield tuple(box)
