import numpy as np
import numpy_keys
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from biggus.sources.base import box_shape
from biggus.testing import strategies as biggus_st

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.data())
def test_boxes_are_full_rank_in_bounds_and_not_empty(data):
    shape = data.draw(biggus_st.shapes(min_side=1))
    box = data.draw(biggus_st.boxes(shape))
    assert len(box) == len(shape)
    for s, n in zip(box, shape, strict=True):
        assert 0 <= s.start < s.stop <= n
        assert s.step >= 1
    assert np.zeros(shape)[box].shape == box_shape(box)


def test_boxes_of_an_empty_array_raise():
    with pytest.raises(ValueError, match="no boxes"):
        biggus_st.boxes((3, 0))


@pytest.mark.parametrize("keys", [numpy_keys.basic_keys, numpy_keys.advanced_keys])
@quick
@given(data=st.data())
def test_keys_without_invalid_are_valid(keys, data):
    shape = data.draw(biggus_st.shapes())
    key = data.draw(keys(shape, invalid=False))
    assert np.ones(shape)[key].all()


@quick
@given(st.data())
def test_orthogonal_keys_agree_with_ix(data):
    values = np.arange(60).reshape(3, 4, 5)
    key = data.draw(numpy_keys.oindex_keys(values.shape))
    got = numpy_keys.orthogonal(values, key)
    items = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in [i for i in items if i is Ellipsis]:
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (values.ndim - len(items) + 1)
    items += [slice(None)] * (values.ndim - len(items))
    picked, dropped = [], []
    for axis, item in enumerate(items):
        # An empty list is one of integers.
        chosen = np.array(item, int) if isinstance(item, list) and not item else item
        along = np.arange(values.shape[axis])[chosen]
        picked.append(np.atleast_1d(along))
        dropped.extend([axis] * (along.ndim == 0))
    assert np.array_equal(got, values[np.ix_(*picked)].squeeze(tuple(dropped)))


def _has(condition):
    return lambda items: any(condition(item) for item in items)


def _array(item, ndim, dtype="iu"):
    return isinstance(item, np.ndarray) and item.ndim == ndim and item.dtype.kind in dtype


KINDS = {
    "negative step": _has(lambda i: isinstance(i, slice) and (i.step or 1) < 0),
    "far slice": _has(lambda i: isinstance(i, slice) and i.stop in {2**31, 10**30}),
    "a list": _has(lambda i: isinstance(i, list)),
    "a tuple": _has(lambda i: isinstance(i, tuple)),
    "True": _has(lambda i: i is True),
    "a float": _has(lambda i: isinstance(i, (float, complex))),
    "newaxis": _has(lambda i: i is None),
    "Ellipsis": _has(lambda i: i is Ellipsis),
    "NumPy integer": _has(lambda i: isinstance(i, np.integer)),
    "0-d integers": _has(lambda i: _array(i, 0)),
    "2-d integers": _has(lambda i: _array(i, 2) and i.size > 2),
    "big-endian integers": _has(lambda i: _array(i, 1) and i.dtype.byteorder == ">"),
    "mask": _has(lambda i: _array(i, 1, "b")),
    "mask over two axes": _has(lambda i: _array(i, 2, "b")),
    "two arrays": lambda items: sum(_array(i, 1) or _array(i, 2) for i in items) > 1,
    "arrays apart": lambda items: any(
        _array(items[i - 1], 1)
        and isinstance(items[i], slice)
        and isinstance(items[i + 1], np.ndarray)
        for i in range(1, len(items) - 1)
    ),
    "no items": lambda items: items == (),
}


def test_advanced_keys_cover_every_kind():
    missing = set(KINDS)

    @settings(quick, max_examples=100, database=None)
    @given(numpy_keys.advanced_keys((3, 4, 5)))
    def look(key):
        items = key if isinstance(key, tuple) else (key,)
        missing.difference_update([kind for kind in missing if KINDS[kind](items)])

    for number in range(20):
        if missing:
            seed(number)(look)()
    assert not missing


def test_invalid_keys_are_drawn_now_and_then():
    refused = taken = 0

    @settings(quick, max_examples=300, derandomize=True)
    @given(numpy_keys.advanced_keys((3, 4)))
    def count(key):
        nonlocal refused, taken
        try:
            np.zeros((3, 4))[key]
            taken += 1
        except (IndexError, TypeError, ValueError):
            refused += 1

    count()
    assert refused >= 3
    assert taken > refused
