"""NumPy's functions along an axis are lazy and match NumPy."""

import itertools

import numpy as np
import pytest
from surface import assert_same, check, lazy

from biggus.testing.checks import case

SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (0, 3), (3, 0)]
DTYPES = ["f8", "f4", "i2", "u1", "?", "c8"]

CALLS = {
    **{
        f"{name} {axis}": lambda a, name=name, axis=axis: getattr(np, name)(a, axis=axis)
        for name in ("cumsum", "cumprod", "nancumsum", "nancumprod", "sort", "argsort")
        for axis in (None, 0, -1)
    },
    "cumsum of bytes": lambda a: np.cumsum(a, 0, dtype="f4"),
    "diff": np.diff,
    "diff twice": lambda a: np.diff(a, 2, axis=0),
    "diff of order 0": lambda a: np.diff(a, 0),
    "diff of high order": lambda a: np.diff(a, 9),
    "diff of negative order": lambda a: np.diff(a, -1),
    "diff with prepend and append": lambda a: np.diff(a, prepend=1, append=a),
    "ediff1d": np.ediff1d,
    "ediff1d with ends": lambda a: np.ediff1d(a, to_begin=[1, 0], to_end=1),
    "ediff1d with a complex end": lambda a: np.ediff1d(a, to_begin=0.5j),
    "trapezoid": np.trapezoid,
    "trapezoid with dx": lambda a: np.trapezoid(a, dx=0.5, axis=0),
    "trapezoid with x": lambda a: np.trapezoid(a, np.arange(a.shape[-1]) ** 2),
    "trapezoid of rows with x": lambda a: np.trapezoid(a, np.arange(a.shape[0]) ** 2, axis=0),
    "sort stably": lambda a: np.sort(a, axis=0, kind="stable"),
    "sort by a field": lambda a: np.sort(a, order="x"),
    "partition": lambda a: np.partition(a, 1),
    "partition rows": lambda a: np.sort(np.partition(a, (0, -1), axis=0)[:1], axis=0),
    "partition too far": lambda a: np.partition(a, 9),
    "partition by a float": lambda a: np.partition(a, 0.5),
    "argpartition": lambda a: np.argpartition(a, 0) * 0,
    "unwrap": np.unwrap,
    "unwrap along an axis": lambda a: np.unwrap(a, axis=0, period=4),
    "apply_along_axis": lambda a: np.apply_along_axis(np.sum, 0, a),
    "apply_along_axis to matrices": lambda a: np.apply_along_axis(lambda v: np.outer(v, v), -1, a),
    "apply_over_axes": lambda a: np.apply_over_axes(np.sum, a, [0, -1]),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=-1),
    "windows along two axes": lambda a: np.lib.stride_tricks.sliding_window_view(
        a, (2, 3), axis=(0, -1)
    ),
    "windows along all axes": lambda a: np.lib.stride_tricks.sliding_window_view(a, (1,) * a.ndim),
    "windows too long": lambda a: np.lib.stride_tricks.sliding_window_view(a, 99, axis=0),
    "convolve": lambda a: np.convolve(a, [1, 2, 1]),
    "convolve same": lambda a: np.convolve(a, np.array([1, 2], a.dtype), "same"),
    "correlate": lambda a: np.correlate(a, [1, 3]),
    "correlate full": lambda a: np.correlate(a, [1, 3], "full"),
}
if hasattr(np, "cumulative_sum"):
    CALLS |= {
        "cumulative_sum": np.cumulative_sum,
        "cumulative_sum with initial": lambda a: np.cumulative_sum(a, axis=0, include_initial=True),
        "cumulative_prod": lambda a: np.cumulative_prod(a, axis=-1, dtype="f8"),
    }

ROUNDED = {"trapezoid", "trapezoid with dx", "trapezoid with x", "trapezoid of rows with x"}
ROUNDED |= {"apply_over_axes"}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_function_is_lazy_and_matches_numpy(name):
    for shape, dtype in itertools.product(SHAPES, DTYPES):
        values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
        with case(shape=shape, dtype=dtype):
            check(CALLS[name], values, name not in ROUNDED)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "sort"])
@pytest.mark.parametrize("axis", [0, 1])
def test_missing_values(name, axis):
    values = np.ma.masked_equal(np.random.default_rng(1).integers(0, 4, (4, 5)), 2)
    ours = getattr(np, name)(lazy(values)[1], axis=axis)
    assert_same(ours, getattr(np.ma, name)(values, axis=axis))


@pytest.mark.parametrize("call", [np.argsort, np.unwrap, lambda a: np.partition(a, 1)])
def test_functions_without_masked_form_raise_with_advice(call):
    with pytest.raises(TypeError, match=r"\.filled"):
        call(lazy(np.ma.masked_equal([1.0, 2.0], 2))[1])


def test_argpartition():
    values = np.random.default_rng(1).integers(0, 9, (6, 7))
    order = np.argpartition(lazy(values)[1], 3, axis=1).ndarray()
    np.testing.assert_array_equal(np.sort(order), np.broadcast_to(np.arange(7), (6, 7)))
    found = np.take_along_axis(values, order, 1)
    np.testing.assert_array_equal(found[:, 3], np.sort(values)[:, 3])
    assert (found[:, :3] <= found[:, 3:4]).all()


def test_cumsum_of_a_column_reads_only_that_column(monkeypatch):
    source, array = lazy(np.arange(80.0).reshape(8, 10))
    ours = np.cumsum(array, axis=0)
    assert (
        ours[:, 3].ndarray().tolist() == np.cumsum(np.arange(80.0).reshape(8, 10), 0)[:, 3].tolist()
    )
    assert all(box[1] == slice(3, 4, 1) for box in source.boxes)
