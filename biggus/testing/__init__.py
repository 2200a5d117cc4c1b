"""Helpers for tests of sources and backends.

`SourceTests` is the test suite that every source must pass: subclass it, define how values are
stored and opened, and run pytest.  Other classes are sources that record reads, fail, wait, or
must not be read.  `biggus.testing.strategies` has Hypothesis strategies of shapes and boxes.

The suite and the strategies need the extra ``testing``.
"""

from biggus.testing.conformance import SourceTests
from biggus.testing.sources import (
    ArraySource,
    FaultySource,
    LatentSource,
    RecordingSource,
    UnreadableSource,
    garbage,
    wrong_dtype,
    wrong_shape,
)
from biggus.testing.values import assert_same, sample_values

__all__ = [
    "ArraySource",
    "FaultySource",
    "LatentSource",
    "RecordingSource",
    "SourceTests",
    "UnreadableSource",
    "assert_same",
    "garbage",
    "sample_values",
    "wrong_dtype",
    "wrong_shape",
]
