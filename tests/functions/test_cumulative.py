"""Cumulative sums and products of long axes match NumPy, with smaller rounding errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import check, lazy

import biggus
from biggus.functions import cumulative


@pytest.fixture
def short_blocks(monkeypatch):
    monkeypatch.setattr(cumulative, "_BLOCK", 24)
    monkeypatch.setattr(cumulative, "_LEAST", 3)


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(1)
    return random.random(300_000) * 10.0 ** random.integers(-3, 4, 300_000)


@settings(max_examples=20)
@given(
    st.sampled_from(["cumsum", "cumprod", "nancumsum", "nancumprod"]),
    st.sampled_from(["f8", "f4", "f2", "i2", "u1", "?", "c8"]),
    st.sampled_from([(50,), (20, 9), (5, 13, 4), (3, 0)]),
    st.sampled_from([3, 2**20]),
    st.data(),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of overflows
def test_cumulative_functions_over_several_blocks(name, dtype, shape, longest, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cumulative, "_BLOCK", 24)
        patch.setattr(cumulative, "_LEAST", 3)
        patch.setattr(cumulative, "_LONG", longest)
        axis = data.draw(st.sampled_from([None, *range(len(shape))]))
        values = np.random.default_rng(1).integers(0, 3, shape).astype(dtype)
        if name.startswith("nan") and values.dtype.kind in "fc":
            values[values == 2] = np.nan
        call = getattr(np, name)
        check(lambda a: call(a, axis=axis), values)
        found, theirs = call(lazy(values)[1], axis=axis), call(values, axis=axis)
        part = tuple([slice(n // 3, n // 3 + 2) for n in theirs.shape])
        np.testing.assert_array_equal(found[part].ndarray(), theirs[part])


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.usefixtures("short_blocks")
def test_cumulative_functions_keep_missing_values(name, axis):
    values = np.ma.masked_equal(np.random.default_rng(1).integers(1, 4, (20, 9)), 2)
    found = getattr(np, name)(lazy(values)[1], axis=axis).masked_array()
    theirs = getattr(np.ma, name)(values, axis=axis)
    np.testing.assert_array_equal(found.mask, np.ma.getmaskarray(theirs))
    np.testing.assert_array_equal(found.filled(0), theirs.filled(0))


@pytest.mark.usefixtures("short_blocks")
def test_cumsum_of_infinity_and_nan():
    for values in ([1, np.inf, 2, -np.inf, 1], [1, np.nan, 2], [-0.0]):
        line = np.repeat(np.array(values), 9)
        with np.errstate(all="ignore"):
            theirs = np.cumsum(line)
        np.testing.assert_array_equal(np.cumsum(lazy(line)[1]).ndarray(), theirs)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of overflows
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("name", ["cumprod", "nancumprod"])
def test_products_after_overflows_zeros_and_nan_are_those_of_numpy(name, dtype):
    random = np.random.default_rng(2)
    limits = np.finfo(dtype)
    special = [limits.max, -limits.max, limits.tiny, 0, -0.0, np.inf, np.nan]
    lines = random.standard_normal((40, 100)).astype(dtype)
    for line in lines:
        line[random.integers(0, 100, 3)] = random.choice(special, 3)
    found = getattr(np, name)(lazy(lines)[1], axis=1).ndarray()
    np.testing.assert_array_equal(found, getattr(np, name)(lines, axis=1))


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
def test_cumsum_keeps_negative_zeros(dtype):
    line = np.repeat(np.array([-0.0, 1, -1, -0.0]), 9).astype(dtype)
    found = np.cumsum(lazy(line)[1]).ndarray()
    np.testing.assert_array_equal(np.signbit(found.real), np.signbit(np.cumsum(line).real))


def test_cumsum_rounding_errors_do_not_accumulate(numbers):
    exact = np.cumsum(numbers.astype(np.longdouble))
    array = biggus.ArrayAdapter(numbers, chunks=(1000,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cumulative, "_BLOCK", 10_000)
        found = np.cumsum(array).ndarray()
    apart = np.abs(found - exact) / np.spacing(exact.astype(float))
    assert apart.max() <= 2
    assert np.abs(np.cumsum(numbers) - exact).max() > np.abs(found - exact).max()


def test_cumsum_does_not_depend_on_memory_or_workers(numbers):
    array = biggus.ArrayAdapter(numbers.reshape(3000, 100), chunks=(30, 50))
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cumulative, "_BLOCK", 20_000)
        for memory, workers in (("1 GB", 1), ("10 MB", 3)):
            with biggus.set_options(memory=memory, workers=workers):
                found.append(np.cumsum(array, axis=0).ndarray())
    np.testing.assert_array_equal(*found)


@pytest.mark.usefixtures("short_blocks")
def test_cumsum_reads_each_value_at_most_twice():
    source, array = lazy(np.arange(1000.0))
    np.testing.assert_array_equal(np.cumsum(array).ndarray(), np.cumsum(np.arange(1000.0)))
    assert sum(box[0].stop - box[0].start for box in source.boxes) <= 2000
