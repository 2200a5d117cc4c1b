"""Checks that a NumPy function gives the same for a lazy array as for an ndarray."""

import numpy as np

import biggus
from biggus.testing import ArraySource, RecordingSource


def lazy(values):
    chunks = tuple(max(1, min(2, n)) for n in values.shape)
    source = RecordingSource(ArraySource(values, chunks))
    return source, biggus.ArrayAdapter(source)


def outcome(call, array):
    try:
        return call(array)
    except Exception as error:
        return error


def assert_same(ours, theirs, exact=True):
    compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
    if isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, exact)
        return
    theirs = np.asanyarray(theirs)
    assert isinstance(ours, biggus.Array)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    if np.ma.isMaskedArray(theirs):
        found = ours.masked_array()
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(theirs))
        compare(found.filled(0), theirs.filled(0))
    else:
        compare(ours.ndarray(), theirs)


def assert_same_outcome(ours, theirs, exact=True):
    """Check that both are the same values, or the same kind of error."""
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), (ours, theirs)
        return
    if isinstance(ours, Exception):
        raise ours
    assert_same(ours, theirs, exact)


def check(call, values, exact=True):
    """Check that a call reads nothing and has the result of NumPy."""
    source, array = lazy(values)
    theirs = outcome(call, values)
    ours = outcome(call, array)
    assert not source.boxes
    if not (isinstance(theirs, Exception) and type(ours) in type(theirs).__mro__):
        assert_same_outcome(ours, theirs, exact)
