"""groupby_reduce matches NumPy on each group, in one pass and in any memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import lazy

import biggus
from biggus.testing import ArraySource, RecordingSource

FUNCTIONS = ["sum", "prod", "mean", "min", "max", "ptp", "var", "std", "any", "all"]
FUNCTIONS += ["count_nonzero", "nansum", "nanmean", "nanmin", "nanmax", "nanvar", "nanstd"]
DTYPES = ["f8", "f4", "i2", "u1", "?", "c16"]


def expected(values, labels, function, axis):
    """Return the result of a function for the values of each label, stacked along the last axis."""
    each = [np.compress(labels == label, values, axis) for label in np.unique(labels)]
    return np.ma.stack([function(one, axis=axis) for one in each], -1) if each else None


def of_numpy(name):
    return lambda one, axis: getattr(np, name)(one, axis=axis)


@settings(max_examples=15)
@given(
    st.sampled_from(FUNCTIONS),
    st.sampled_from(DTYPES),
    st.sampled_from([(7,), (5, 6), (2, 5, 3), (1, 9), (9, 17)]),
    st.data(),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_groupby_reduce_matches_numpy(name, dtype, shape, data):
    if name in ("ptp", "min", "max", "nanmin", "nanmax") and dtype in ("?", "c16"):
        dtype = "i4"
    axis = data.draw(st.integers(0, len(shape) - 1))
    labels = data.draw(st.lists(st.integers(0, 3), min_size=shape[axis], max_size=shape[axis]))
    values = np.random.default_rng(len(labels)).integers(0, 5, shape).astype(dtype)
    if name.startswith("nan") and values.dtype.kind in "fc":
        values[values == 3] = np.nan
    source, array = lazy(values)
    found, groups = biggus.groupby_reduce(array, labels, name, axis)
    assert not source.boxes
    theirs = np.asarray(expected(values, np.array(labels), of_numpy(name), axis))
    assert (found.shape, found.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_array_equal(groups, np.unique(labels))
    np.testing.assert_allclose(found.ndarray(), theirs, rtol=1e-6)


@pytest.mark.parametrize("name", ["first", "last", "nanfirst", "nanlast"])
@pytest.mark.parametrize("axis", [0, 1])
def test_first_and_last(name, axis):
    values = np.arange(60.0).reshape(6, 10)
    values[1, :4] = values[4, 2:] = np.nan
    labels = np.array([1, 0, 1, 1, 0, 2, 0, 2, 1, 2])[: values.shape[axis]]

    def end(one, axis):
        lines = np.moveaxis(one, axis, -1)
        kept = [line[~np.isnan(line)] if name.startswith("nan") else line for line in lines]
        place = -1 if name.endswith("last") else 0
        return np.array([line[place] if len(line) else np.nan for line in kept])

    found, _ = biggus.groupby_reduce(lazy(values)[1], labels, name, axis)
    np.testing.assert_array_equal(found.ndarray(), expected(values, labels, end, axis))


@pytest.mark.parametrize("name", ["sum", "mean", "min", "std", "count", "any", "first", "last"])
def test_missing_values_are_skipped(name):
    values = np.ma.masked_equal(np.arange(48).reshape(4, 12) % 7, 3)
    values[:, 2::3] = np.ma.masked
    labels = np.arange(12) % 3

    def function(one, axis):
        if name in ("first", "last"):
            place = 0 if name == "first" else -1
            some = [row.compressed() for row in one]
            return np.ma.array(
                [row[place] if len(row) else 0 for row in some], mask=[not len(r) for r in some]
            )
        return getattr(np.ma, name)(one, axis=axis)

    found, _ = biggus.groupby_reduce(lazy(values)[1], labels, name, 1)
    theirs = expected(values, labels, function, 1)
    ours = found.masked_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
    np.testing.assert_allclose(ours.filled(0), np.ma.filled(theirs, 0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_labels_give_no_groups(name):
    found, groups = biggus.groupby_reduce(lazy(np.zeros((3, 0)))[1], [], name, 1)
    assert found.shape == found.ndarray().shape == (3, 0)
    assert not len(groups)


def test_labels_with_several_axes_and_nan():
    values = np.random.default_rng(1).random((4, 6, 5))
    labels = np.random.default_rng(2).integers(0, 4, (6, 5)).astype(float)
    labels[2, 1:3] = np.nan
    found, groups = biggus.groupby_reduce(lazy(values)[1], labels, "mean")
    theirs = [values[:, labels == label].mean(axis=1) for label in range(4)]
    np.testing.assert_allclose(found.ndarray(), np.stack(theirs, -1))
    np.testing.assert_array_equal(groups, range(4))
    turned, _ = biggus.groupby_reduce(lazy(values)[1], labels.T, "mean", (2, 1))
    np.testing.assert_array_equal(turned.ndarray(), found.ndarray())
    np.testing.assert_array_equal(found[1:3, -1].ndarray(), found.ndarray()[1:3, -1])


def test_many_labels_take_one_pass():
    values = np.random.default_rng(1).random(3000)
    labels = np.random.default_rng(2).integers(0, 700, 3000).astype("U4")
    sources = [RecordingSource(ArraySource(part, (500,))) for part in np.split(values, 6)]
    array = biggus.LinearMosaic([biggus.ArrayAdapter(source) for source in sources], 0)
    several = [
        biggus.groupby_reduce(array, labels, name)[0] for name in ("mean", "std", "max", "count")
    ]
    mean, _, most, count = biggus.ndarrays(several)
    assert [len(source.boxes) for source in sources] == [1] * 6
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(count, counts)
    np.testing.assert_allclose(mean, np.bincount(places, values) / counts)
    theirs = np.zeros(len(counts))
    np.maximum.at(theirs, places, values)
    np.testing.assert_array_equal(most, theirs)


def test_results_do_not_depend_on_memory_or_workers():
    values = np.random.default_rng(1).random((300, 40, 50)).astype("f4")
    array = biggus.ArrayAdapter(values, chunks=(30, 40, 50))
    labels = np.arange(300) // 7 % 12
    found = []
    for memory, workers in (("1 GB", 1), ("30 MB", 3)):
        with biggus.set_options(memory=memory, workers=workers):
            found.append(biggus.groupby_reduce(array, labels, "std", 0)[0].ndarray())
    np.testing.assert_array_equal(found[0], found[1])


def test_misspelt_statistic_suggests_one():
    array = biggus.ones((2, 4))
    with pytest.raises(ValueError, match="no statistic 'maen'; did you mean 'mean'"):
        biggus.groupby_reduce(array, [0, 1, 0, 1], "maen")
    with pytest.raises(ValueError, match="no 'maen' of windows; did you mean 'mean'"):
        biggus.coarsen(array, {0: 2}, "maen")


@pytest.mark.parametrize(
    ("labels", "func", "keywords"),
    [
        ([0, 1, 0, 1], "mode", {}),
        ([0, 1, 0, 1], "median", {}),
        ([0, 1, 0, 1], "argmax", {}),
        ([0, 1, 0, 1], "grouped", {}),
        ([0, 1, 0], "mean", {}),
        (3, "mean", {}),
        (np.zeros((2, 4)), "first", {}),
        (np.zeros((9, 2, 4)), "mean", {}),
    ],
)
def test_invalid_arguments_raise(labels, func, keywords):
    source, array = lazy(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"labels|no statistic|in one pass|one axis"):
        biggus.groupby_reduce(array, labels, func, **keywords)
    assert not source.boxes


@pytest.mark.parametrize(
    "labels",
    [[-100, 100, 0, -100] * 40, [2**63 + 5, 2**63 + 7], [-(2**63), 3 - 2**63], [9, 10**9], []],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["i1", "i8", "u8", "f4"])
def test_integer_labels_of_any_size(labels, dtype):
    try:
        given = np.array(labels, dtype)
    except OverflowError:
        return
    values = np.arange(float(len(given)))
    found, groups = biggus.groupby_reduce(values, given, "sum")
    theirs, places = np.unique(given, return_inverse=True)
    np.testing.assert_array_equal(groups, theirs)
    assert groups.dtype == given.dtype
    np.testing.assert_array_equal(found.ndarray(), np.bincount(places, values, len(theirs)))


def test_more_than_65536_labels():
    values = np.random.default_rng(1).random(300_000)
    labels = np.random.default_rng(2).integers(0, 90_000, 300_000)
    tiles = [biggus.ArrayAdapter(part) for part in np.split(values, 3)]
    found, groups = biggus.groupby_reduce(biggus.LinearMosaic(tiles, 0), labels, "mean")
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    assert len(groups) == len(counts) > 2**16
    np.testing.assert_allclose(found.ndarray(), np.bincount(places, values) / counts)
