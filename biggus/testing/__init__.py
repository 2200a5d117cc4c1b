"""For authors of backends, and for biggus's own tests.

`SourceTests` is the suite that every source must pass: subclass it, say how
values are stored and opened, and run pytest.  The sources here record, fail,
wait or refuse; `biggus.testing.strategies` makes boxes and NumPy keys.

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
