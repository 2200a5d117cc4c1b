"""The conformance suite for the sources of biggus.testing and biggus.sources.base."""

import numpy as np

from biggus.sources.wrappers import ObjectSource
from biggus.testing import ArraySource, LatentSource, RecordingSource, SourceTests

MANY = ("f8", "?", "i1", ">i2", "u8", "f2", ">f4", "c16", "M8[s]", "m8[ns]", "S3", ">U2", "O")
EMPTY = ((), (1,), (7,), (5, 6), (3, 4, 5), (0,), (3, 0, 2))


class TestArraySource(SourceTests):
    shapes = EMPTY
    dtypes = (*MANY, "i4,f8,S2", "V3")
    stored = False

    def make(self, values, folder):
        return ArraySource(values, chunks=tuple(max(1, n // 2) for n in values.shape))


class TestMaskedArraySource(SourceTests):
    dtypes = ("f8", "i4,f8")
    stored = False

    def values(self, shape, dtype, seed=0):
        values = super().values(shape, dtype, seed)
        hidden = np.random.default_rng(seed).random(shape) < 0.3
        return np.ma.array(values, mask=hidden)

    def make(self, values, folder):
        return ArraySource(values)


class TestRecordingArraySource(TestArraySource):
    def make(self, values, folder):
        return RecordingSource(super().make(values, folder))


class TestLatentArraySource(TestArraySource):
    shapes = ((), (2, 3))

    def make(self, values, folder):
        return LatentSource(super().make(values, folder), seconds=0.001)


class TestObjectSource(SourceTests):
    """An ndarray as a user's object."""

    shapes = EMPTY
    dtypes = MANY
    stored = False
    owned = False

    def make(self, values, folder):
        return ObjectSource(values.copy(), token=f"values {values.tolist()}")


class TestObjectWithoutToken(SourceTests):
    stored = False
    owned = False
    has_validator = False

    def make(self, values, folder):
        return ObjectSource(np.asarray(values), chunks=values.shape or None)
