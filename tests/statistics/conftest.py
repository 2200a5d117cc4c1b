"""Statistics of arrays in blocks, computed as an engine would."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from biggus.statistics import Statistic, partials, statistic

# Makes the modules of this folder importable in worker processes.
sys.path.insert(0, str(Path(__file__).parent))

FAN = 16


def pieces(length, cuts):
    """Return the bounds of the pieces of an axis that is cut at `cuts`."""
    edges = [0, *sorted({c for c in cuts if 0 < c < length}), length]
    return list(itertools.pairwise(edges))


def folded(aggregator, parts):
    """Merge partials in a tree of groups of sixteen."""
    while len(parts) > 1:
        groups = [parts[start : start + FAN] for start in range(0, len(parts), FAN)]
        merged = []
        for first, *rest in groups:
            found = first
            for part in rest:
                found = aggregator.merge(found, part)
            merged.append(found)
        parts = merged
    return parts[0]


def computed(name, values, axes, cuts=(), **parameters):
    """Return a statistic of values that are cut into blocks at `cuts` along each axis."""
    found = statistic(
        name, values.dtype, isinstance(values, np.ma.MaskedArray), values.shape, axes, **parameters
    )
    cuts = [*cuts, *[()] * values.ndim][: values.ndim]
    grid = [pieces(n, c) for n, c in zip(values.shape, cuts, strict=True)]
    while True:
        result = one_pass(found, values, axes, grid)
        if not isinstance(result, Statistic):
            return result
        found = result


def one_pass(found, values, axes, grid):
    """Return the results of a pass over all blocks, or the statistic for the next."""
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(values.shape))
    result = (np.ma.empty if found.masked else np.empty)(shape + found.shape, found.dtype)
    kept = [[None] if axis in axes else bounds for axis, bounds in enumerate(grid)]
    for place in itertools.product(*kept):
        blocks = itertools.product(
            *[bounds if at is None else [at] for at, bounds in zip(place, grid, strict=True)]
        )
        parts = []
        for block in blocks:
            box = (..., *[slice(*bounds) for bounds in block])
            origin = tuple(start for start, _ in block)
            before = values[box].copy()
            parts.append(partials([found.aggregator], values[box], axes, origin)[0])
            assert same(values[box], before)
        finished = found.proceed(folded(found.aggregator, parts))
        if isinstance(finished, Statistic):
            return finished
        assert isinstance(finished, np.ma.MaskedArray) == found.masked
        assert finished.dtype == found.dtype
        where = (..., *[slice(None) if at is None else slice(*at) for at in place])
        assert result[where].shape == finished.shape
        result[where] = finished
    return result


def same(one, other):
    """Return whether arrays are the same, masks and the bits of the values included."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and np.array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
        and (one.dtype.hasobject or np.ma.getdata(one).tobytes() == np.ma.getdata(other).tobytes())
    )


@pytest.fixture(scope="session", name="computed")
def _computed():
    return computed


@pytest.fixture(scope="session", name="folded")
def _folded():
    return folded


@pytest.fixture(scope="session", name="same_bits_everywhere")
def _same():
    return same
