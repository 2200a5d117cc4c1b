"""coarsen matches NumPy on reshaped values, and dask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import lazy

import biggus
from biggus.testing import ArraySource, RecordingSource

FUNCTIONS = ["sum", "prod", "mean", "min", "max", "ptp", "var", "std", "any", "all", "median"]
FUNCTIONS += ["count_nonzero", "nanmean", "nansum", "nanmax", "nanstd", "nanmedian"]


def expected(values, windows, function):
    """Return the result of a function for each window; the last windows may be short."""
    counts = [-(-n // windows.get(axis, 1)) for axis, n in enumerate(values.shape)]
    found = []
    for place in np.ndindex(*counts):
        box = [
            slice(i * windows.get(axis, 1), (i + 1) * windows.get(axis, 1))
            for axis, i in enumerate(place)
        ]
        found.append(function(values[tuple(box)]))
    return np.ma.stack(found).reshape(counts) if found else np.zeros(counts)


@settings(max_examples=15)
@given(
    st.sampled_from(FUNCTIONS),
    st.sampled_from(["f8", "f4", "i2", "u1"]),
    st.sampled_from([(7,), (6, 8), (4, 5, 6)]),
    st.sampled_from(["exact", "trim", "pad"]),
    st.data(),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_coarsen_matches_numpy(name, dtype, shape, boundary, data):
    values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
    if name.startswith("nan") and values.dtype.kind == "f":
        values[values == 4] = np.nan
        values.flat[::3] = 1
    lengths = st.integers(1, 4)
    windows = data.draw(st.dictionaries(st.integers(0, len(shape) - 1), lengths, min_size=1))
    source, array = lazy(values)
    left = any(shape[axis] % n for axis, n in windows.items())
    if boundary == "exact" and left:
        with pytest.raises(ValueError, match="do not fill"):
            biggus.coarsen(array, windows, name)
        return
    kept = [n - n % windows.get(axis, 1) for axis, n in enumerate(shape)]
    seen = values[tuple(map(slice, kept))] if boundary == "trim" else values
    theirs = expected(seen, windows, getattr(np, name))
    found = biggus.coarsen(array, windows, name, boundary)
    assert not source.boxes
    assert found.shape == theirs.shape
    assert found.dtype == np.asarray(getattr(np, name)(values)).dtype
    np.testing.assert_allclose(found.ndarray(), theirs, rtol=1e-6)
    if found.size:
        np.testing.assert_array_equal(found[..., -1:].ndarray(), found.ndarray()[..., -1:])


def test_coarsen_of_missing_values_and_beside_dask():
    da = pytest.importorskip("dask.array")
    values = np.random.default_rng(1).random((12, 10))
    windows = {0: 4, 1: 2}
    theirs = da.coarsen(np.max, da.from_array(values, chunks=(4, 4)), windows).compute()
    np.testing.assert_array_equal(
        biggus.coarsen(lazy(values)[1], windows, np.max).ndarray(), theirs
    )
    masked = np.ma.masked_less(values, 0.6)
    for name in ("mean", "sum", "median", "std", "count"):
        found = biggus.coarsen(lazy(masked)[1], {0: 5, 1: 2}, name, "pad").masked_array()
        theirs = expected(masked, {0: 5, 1: 2}, getattr(np.ma, name))
        np.testing.assert_allclose(found.filled(0), theirs.filled(0))
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(theirs))


def test_selection_reads_only_its_chunks():
    source = RecordingSource(ArraySource(np.arange(4000.0).reshape(40, 100), (10, 10)))
    found = biggus.coarsen(biggus.ArrayAdapter(source), {0: 5, 1: 5})
    assert found[3, 7].ndarray() == np.arange(4000.0).reshape(40, 100)[15:20, 35:40].mean()
    assert source.boxes == [(slice(10, 20, 1), slice(30, 40, 1))]


def test_coarsen_does_not_depend_on_memory():
    values = np.random.default_rng(1).random((100, 300, 70)).astype("f4")
    array = biggus.ArrayAdapter(values, chunks=(10, 300, 70))
    found = []
    for memory in ("1 GB", "20 MB"):
        with biggus.set_options(memory=memory):
            found.append(biggus.coarsen(array, {0: 25, 2: 7}, "std").ndarray())
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("windows", "keywords", "error"),
    [
        ({0: 0}, {}, ValueError),
        ({2: 2}, {}, np.exceptions.AxisError),
        ({0: 2.0}, {}, TypeError),
        ((2, 2), {}, TypeError),
        ({0: 2}, {"func": "mode"}, ValueError),
        ({0: 2}, {"func": "histogram"}, ValueError),
        ({0: 2}, {"boundary": "wrap"}, ValueError),
    ],
)
def test_invalid_arguments_raise(windows, keywords, error):
    with pytest.raises(error):
        biggus.coarsen(lazy(np.ones((4, 4)))[1], windows, **keywords)


OF_A_STATISTIC = {
    "coarsened": lambda a: biggus.coarsen(a, {0: 2}, "mean"),
    "coarsened twice": lambda a: biggus.coarsen(biggus.coarsen(a, {0: 2}, "max"), {0: 2}, "sum"),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 3, axis=0).mean(-1),
    "map_overlap": lambda a: biggus.map_overlap(lambda v: v * 2, a, depth={0: 1}, boundary="none"),
}


@pytest.mark.parametrize("name", OF_A_STATISTIC)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("key", [2, slice(1, 3), slice(None, None, -2), [2, 0]])
def test_parts_of_functions_of_blocks_of_a_statistic_read_what_they_need(name, masked, key):
    values = np.arange(48.0).reshape(12, 4)
    if masked:
        values = np.ma.masked_where(values % 5 == 0, values)
    source = RecordingSource(ArraySource(values, chunks=(1, 4)))
    plain = biggus.ArrayAdapter(ArraySource(values, chunks=(1, 4)))
    whole = OF_A_STATISTIC[name](plain.sum(axis=1)).masked_array()
    found = OF_A_STATISTIC[name](biggus.ArrayAdapter(source).sum(axis=1))[key].masked_array()
    np.testing.assert_array_equal(found.mask, np.ma.getmaskarray(whole)[key])
    np.testing.assert_array_equal(found.filled(0), whole.filled(0)[key])
    if isinstance(key, int) and name != "map_overlap":
        assert len(source.boxes) < 12
