"""Missing values, warnings and errors of statistics match NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from made_statistics import DOUBLE, statistics

from biggus.statistics import partials, statistic
from biggus.statistics.moments import total
from biggus.statistics.registry import ENTRIES


def test_mdtol(computed):
    values = np.ma.array(np.arange(20.0).reshape(4, 5))
    values[:1, 0] = values[:2, 1] = values[:3, 2] = values[:4, 3] = np.ma.masked
    for name in ["mean", "sum", "std", "min", "prod", "any"]:
        for mdtol, missing in [
            (1, [False, False, False, True, False]),
            (0.5, [False, False, True, True, False]),
            (0.49, [False, True, True, True, False]),
            (0, [True, True, True, True, False]),
        ]:
            got = computed(name, values, (0,), ((1, 3), (2,)), mdtol=mdtol)
            assert np.ma.getmaskarray(got)[0].tolist() == missing
            want = getattr(np.ma, name)(values, axis=0)
            kept = ~np.array(missing)
            np.testing.assert_allclose(got.data[0][kept], want.data[kept], rtol=1e-15)
    assert np.ma.getmaskarray(computed("mean", values, (0, 1), mdtol=0.4)).all()
    assert not np.ma.getmaskarray(computed("mean", values, (0, 1), mdtol=0.5)).any()


@pytest.mark.parametrize("mdtol", [-0.1, 1.1])
def test_mdtol_out_of_range_raises(mdtol):
    with pytest.raises(ValueError, match="mdtol"):
        statistic("mean", DOUBLE, True, (3,), (0,), mdtol=mdtol)


@pytest.mark.parametrize("name", ["min", "max", "ptp", "nanmin", "nanmax", "argmin", "nanargmax"])
def test_extremes_of_empty_arrays_raise(name):
    with pytest.raises(ValueError, match=r"empty|zero-size"):
        statistic(name, DOUBLE, False, (0, 3), (0,))
    with pytest.raises(ValueError, match=r"empty|zero-size"):
        statistic(name, DOUBLE, True, (0, 3), (0,))
    assert statistic(name, DOUBLE, False, (0, 3), (1,)).dtype is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mean", "Mean of empty slice"),
        ("var", "Degrees of freedom"),
        ("std", "Degrees of freedom"),
        ("nanmean", "Mean of empty slice"),
        ("nanvar", "Degrees of freedom"),
    ],
)
def test_warnings_for_empty_arrays(computed, name, message):
    with pytest.warns(RuntimeWarning, match=message):
        got = computed(name, np.empty((0, 3)), (0,))
    assert np.isnan(got).all()
    assert got.shape == (1, 3)
    masked = computed(name.removeprefix("nan"), np.ma.empty((0, 3)), (0,))
    assert np.ma.getmaskarray(masked).all()


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "count", "count_nonzero", "nansum"])
def test_sums_and_counts_of_empty_arrays(computed, name):
    got = computed(name, np.empty((0, 3)), (0,))
    want = {"prod": 1, "all": True}.get(name, 0)
    np.testing.assert_array_equal(got, np.full((1, 3), want))


def test_all_nan(computed):
    values = np.array([[np.nan, 1], [np.nan, np.nan]])
    for name in ["nanmin", "nanmax"]:
        with pytest.warns(RuntimeWarning, match="All-NaN"):
            got = computed(name, values, (0,), ((1,),))
        np.testing.assert_array_equal(got, [[np.nan, 1]])
    with pytest.raises(ValueError, match="All-NaN"):
        computed("nanargmin", values, (0,), ((1,),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed("nansum", values, (0,))[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "kind", "parameters"),
    [
        ("sum", "M8[s]", {}),
        ("mean", "U3", {}),
        ("var", "m8[s]", {}),
        ("ptp", "?", {}),
        ("min", "U3", {}),
        ("sum", "i4,i4", {}),
        ("var", "i4", {"dtype": "i8"}),
        ("mean", "f8", {"axis": 0}),
        ("nanmean", "f8", {"mdtol": 0.5}),
    ],
)
def test_unsupported_dtypes_and_arguments_raise(name, kind, parameters):
    with pytest.raises(TypeError):
        statistic(name, np.dtype(kind), False, (3,), (0,), **parameters)


def test_unknown_statistic_error_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown statistic 'mode'; there are all, any"):
        statistic("mode", DOUBLE, False, (3,), (0,))
    assert {"sum", "nanstd", "count", "histogram_edges"} <= set(ENTRIES)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "axes"), [((0, 3), (1,)), ((3, 0), (0,)), ((0,), ())], ids=str)
def test_empty_results_do_not_warn(shape, axes, masked):
    for name, found in statistics(axes, shape, masked).items():
        block = (np.ma.zeros if masked else np.zeros)(shape, "f4")
        got = found.proceed(partials([found.aggregator], block, axes, (0,) * len(shape))[0])
        assert got.shape == tuple(1 if axis in axes else n for axis, n in enumerate(shape)), name


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c8", "i2", "u4", "?"])
def test_sum_of_single_rows_is_a_view_with_equal_bits(folded, dtype):
    """Partial sums of single rows are views, and merge to the same bits as accumulated ones."""
    values = np.array([[0, 1.1, -0.0, -3], [-0.0, 2.7, -0.0, 5], [7, 1e-9, -0.0, np.pi]])
    values = np.repeat(np.abs(values) if dtype in "u4?" else values, 3, axis=1).astype(dtype)
    aggregator = statistic("sum", values.dtype, False, values.shape, (0,)).aggregator
    blocks = [values[row : row + 1] for row in range(len(values))]
    single = [partials([aggregator], block, (0,), (0, 0))[0] for block in blocks]
    assert all(np.shares_memory(p[1], block) for p, block in zip(single, blocks, strict=True))
    kept = values.copy()
    invalid = [np.ma.array(np.vstack([b, b]), mask=[[0], [1]] * np.ones(12, bool)) for b in blocks]
    slow = [partials([aggregator], block, (0,), (0, 0))[0] for block in invalid]
    for count in (1, 3):
        found, other = (total(folded(aggregator, p[:count])) for p in (single, slow))
        np.testing.assert_array_equal(found, other)
        assert not (np.signbit(np.real(found)) & (found == 0)).any()
    np.testing.assert_array_equal(kept, values)
