"""Statistics and values for tests of aggregators and results."""

from __future__ import annotations

import numpy as np

from biggus.statistics import statistic
from biggus.statistics.registry import ENTRIES

DOUBLE = np.dtype("f8")
OVERALL = {
    *("median", "nanmedian", "quantile", "nanquantile", "percentile", "nanpercentile"),
    *("histogram", "histogram_edges"),
}
PARAMETERS = {"quantile": {"q": 0.3}, "nanquantile": {"q": 0.3}, "percentile": {"q": 30}}
PARAMETERS["nanpercentile"] = PARAMETERS["percentile"]


def made(shape=(6, 40, 9), seed=0):
    return np.random.default_rng(seed).normal(1000, 1, shape).astype("f4")


def statistics(axes, shape=(6, 40, 9), masked=False):
    """Return all statistics that exist over the given axes."""
    found = {}
    for name in sorted(ENTRIES):
        if name in OVERALL and len(axes) != len(shape):
            continue
        if "arg" in name and len(axes) not in (1, len(shape)):
            continue
        if name == "grouped" or (name.endswith(("first", "last")) and len(axes) > 1):
            continue  # these need groups, or a single axis
        parameters = PARAMETERS.get(name, {})
        found[name] = statistic(name, np.dtype("f4"), masked, shape, axes, **parameters)
    return found


def equal_bits(left, right):
    return len(left) == len(right) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(left, right, strict=True)
    )
