"""xarray's operations on lazy arrays: most are lazy, and all match in-memory arrays."""

from __future__ import annotations

import importlib.util
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import MemoryBudgetError
from biggus.testing import ArraySource, RecordingSource, UnreadableSource

xr = pytest.importorskip("xarray")
pytest.importorskip("scipy")
pytest.importorskip("biggus.xarray")

_spec = importlib.util.spec_from_file_location(
    "operations", Path(__file__).with_name("operations.py")
)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
OPERATIONS = _module.OPERATIONS

LOADS = {
    "ffill": "bottleneck takes arrays in memory",
    "bfill": "bottleneck takes arrays in memory",
    "polyfit": "needs the positions of missing values",
    "dropna": "the resulting length depends on the values",
    "rank": "bottleneck takes arrays in memory",
}
"""Operations that load values, and the reason."""

VALUES = np.random.default_rng(0).normal(5, 3, (8, 3, 4))
VALUES[1, 2, 3] = VALUES[4, 0, 0] = np.nan
TIMES = np.datetime64("2001-01-01", "ns") + np.arange(8) * np.timedelta64(12, "h")

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of xarray, NumPy and pandas


def wrapped(values):
    return xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={"time": TIMES, "x": np.arange(4.0), "y": [0.0, 1, 2]},
        name="v",
        attrs={"units": "K"},
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_matches_in_memory_arrays(name):
    if "bottleneck" in LOADS.get(name, ""):
        pytest.importorskip("bottleneck")
    operate = OPERATIONS[name]
    right = operate(wrapped(VALUES.copy()))
    source = RecordingSource(ArraySource(VALUES, chunks=(2, 3, 4)))
    lazy = wrapped(biggus.ArrayAdapter(source))
    source.clear()
    got = operate(lazy)
    if name not in LOADS:
        assert isinstance(got.variable._data, biggus.Array)
        assert not source.boxes
    xr.testing.assert_allclose(got.compute(), right)
    assert got.dtype == right.dtype
    assert got.attrs == right.attrs


def _shown_warnings(operate, values):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        operate(wrapped(values)).compute()
    return {(each.category, str(each.message)) for each in shown}


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in LOADS])
def test_operation_shows_no_warning_that_in_memory_arrays_do_not_show(name):
    values = VALUES.copy()
    values[:, 1] = values[:, :, 2] = values[3] = np.nan
    lazy = biggus.ArrayAdapter(ArraySource(values, chunks=(2, 3, 4)))
    with xr.set_options(use_flox=False):  # flox hides warnings, and takes no lazy arrays
        shown = _shown_warnings(OPERATIONS[name], lazy)
        assert shown <= _shown_warnings(OPERATIONS[name], values)


def test_most_operations_are_lazy():
    assert len(OPERATIONS) - len(LOADS) >= 160


def test_polyfit_of_missing_values_reads_each_value_once():
    source = RecordingSource(ArraySource(VALUES, chunks=(2, 3, 4)))
    lazy = wrapped(biggus.ArrayAdapter(source)).polyfit("time", 1, skipna=True)
    source.clear()
    with biggus.set_options(chunk_memory=0):
        lazy.compute()
    assert sum(math.prod(s.stop - s.start for s in box) for box in source.boxes) == VALUES.size


def test_loading_operation_above_the_memory_raises():
    pytest.importorskip("bottleneck")
    large = UnreadableSource((8, 3, 4))
    with biggus.set_options(memory=500), pytest.raises(MemoryBudgetError):
        OPERATIONS["ffill"](wrapped(biggus.ArrayAdapter(large)))


@pytest.mark.parametrize("load", ["load", "compute", "persist"])
def test_load_above_the_memory_raises_and_suggests_compute(load):
    large = wrapped(biggus.ArrayAdapter(UnreadableSource((8, 3, 4))))
    for obj in (large, large.to_dataset()):
        with (
            biggus.set_options(memory=500),
            pytest.raises(MemoryBudgetError, match=r"not loading 768 B .* \.biggus\.compute\(\)"),
        ):
            getattr(obj, load)()
    two = xr.Dataset({"a": (("x", "y"), biggus.ones((5, 8))), "b": ("z", biggus.ones(30))})
    with biggus.set_options(memory=500):
        with pytest.raises(MemoryBudgetError):
            getattr(two, load)()  # both together
        few, all_the_same = getattr(two[["b"]], load)(), two.biggus.compute()
    assert float(few["b"].sum()) == 30
    assert float(all_the_same["a"].sum()) == 40


def test_lazy_groups_are_not_given_to_flox():
    utils = pytest.importorskip("xarray.core.utils")
    lazy = wrapped(biggus.ArrayAdapter(UnreadableSource((8, 3, 4))))
    # flox would treat a lazy array as one in memory.
    assert not utils.contains_only_chunked_or_numpy(lazy)
    assert xr.namedarray.pycompat.is_chunked_array(lazy.data)


GROUPED = {
    "bins along two axes": lambda a, by: a.groupby_bins(by, [-9, 4, 5, 9]).mean(),
    "number of bins": lambda a, by: a.groupby_bins(by, 3).max(),
    "bins of a coordinate": lambda a, by: (
        a.assign_coords(by=by).groupby_bins("by", [0, 5, 9]).sum()
    ),
    "bins along an axis": lambda a, by: a.groupby_bins(by[:, 0], [0, 5, 9]).std(),
    "values": lambda a, by: a.groupby(by > 5).mean(),
}


@pytest.mark.parametrize("name", GROUPED)
def test_groupby_reads_only_lazy_labels(name):
    by = xr.DataArray(np.nan_to_num(VALUES[0]), dims=("y", "x"), name="by")
    right = GROUPED[name](wrapped(VALUES), by)
    lazy = biggus.ArrayAdapter(UnreadableSource(VALUES.shape))
    got = GROUPED[name](wrapped(lazy), by.copy(data=biggus.ArrayAdapter(by.values)))
    assert isinstance(got.variable._data, biggus.Array)
    assert got.shape == right.shape
    got = GROUPED[name](
        wrapped(biggus.ArrayAdapter(VALUES)), by.copy(data=biggus.ArrayAdapter(by.values))
    )
    xr.testing.assert_allclose(got.compute(), right)


@pytest.mark.parametrize(
    "name",
    [
        *("mean dims", "std", "var", "cov", "corr", "median", "arithmetic", "groupby mean"),
        *("groupby max", "groupby std", "groupby median", "groupby map", "resample max"),
        *("rolling std", "rolling median", "coarsen mean", "coarsen pad", "weighted mean"),
    ],
)
def test_warnings_match_in_memory_arrays(name):
    values = VALUES.copy()
    values[:, 1, 1] = values[2] = np.nan
    values[5, 2, 0] = 0
    shown = []
    for array in (values, biggus.ArrayAdapter(values)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RuntimeWarning)
            OPERATIONS[name](wrapped(array)).compute()
        shown.append({str(one.message) for one in caught if one.category is RuntimeWarning})
    assert shown[0] == shown[1]
