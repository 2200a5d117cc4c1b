"""Small blocks of one shared read are accumulated together, with the results of each alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_arrays import Held, numbers, recorded

import biggus
from biggus.engine import computing
from biggus.indexing import reduction_blocks
from biggus.planning import stacks
from biggus.sources.wrappers import ObjectSource

STATISTICS = ["sum", "mean", "std", "var", "min", "max", "ptp", "prod", "any", "all", "median"]
OF_NAN = ["nansum", "nanmean", "nanstd", "nanmin", "nanmax", "nanprod"]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make each chunk a reduction block."""
    monkeypatch.setattr(reduction_blocks, "RUN", 1)
    monkeypatch.setattr(reduction_blocks, "BLOCK", 1)


@pytest.fixture
def stacked(monkeypatch):
    """Return a list of the number of blocks of each stack that is computed."""
    sizes = []

    def noted(blocks, shared):
        for stack in stacks.in_stacks(blocks, shared):
            sizes.append(len(stack.places))
            yield stack

    monkeypatch.setattr(computing, "in_stacks", noted)
    return sizes


def groups_of(a, axis, count):
    """Return selections of every `count`-th position, as strides and as index arrays."""
    n = a.shape[axis]
    before = (slice(None),) * axis
    strides = [a[(*before, slice(first, None, count))] for first in range(0, count, 2)]
    arrays = [a[(*before, np.arange(first, n, count))] for first in range(1, count, 2)]
    return strides + arrays


@st.composite
def programs(draw):
    shape = draw(st.sampled_from([(48, 3, 5), (48, 1, 20), (3, 48, 17), (20, 2, 48), (48, 9)]))
    axis = shape.index(48)
    others = [other for other in range(len(shape)) if other != axis]
    more = draw(st.sets(st.sampled_from(others), max_size=len(others) - 1))
    chunks = tuple([draw(st.integers(4, 24)) if n == 48 else n for n in shape])
    dtype = draw(st.sampled_from(["f4", "f8", "i2", ">f4", "c8", "?"]))
    is_float = np.dtype(dtype).kind in "fc"
    missing = draw(st.sampled_from(["none", "masked", *["nan"][:is_float]]))
    names = OF_NAN if missing == "nan" else STATISTICS
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return shape, axis, (axis, *more), chunks, dtype, missing, chosen, draw(st.integers(2, 13))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of groups without values
@settings(max_examples=15, deadline=None)
@given(programs())
def test_results_are_the_same_to_the_bit_as_alone(program):
    shape, axis, axes, chunks, dtype, missing, names, count = program
    # Sums of thirds depend on the order of the additions.
    values = ((numbers(shape) - 50) / 3).astype(dtype)
    gone = np.random.default_rng(1).random(shape) < 0.2
    if missing == "masked":
        values = np.ma.MaskedArray(values, mask=gone)
    elif missing == "nan":
        values[gone] = np.nan
    source = ObjectSource(Held(values), chunks=chunks, masked=missing == "masked")
    a = biggus.ArrayAdapter(source)
    if dtype == "c8":
        names = [name for name in names if name not in ("min", "max", "ptp", "median")] or ["sum"]
        names = [name for name in names if name not in ("nanmin", "nanmax")] or ["nansum"]
    elif dtype == "?":
        names = [name for name in names if name != "ptp"] or ["sum"]
    wanted = [
        getattr(biggus, name)(g, axis=axes) for g in groups_of(a, axis, count) for name in names
    ]
    with np.errstate(all="ignore"):
        together = biggus.masked_arrays(wanted)
        for one, found in zip(wanted, together, strict=True):
            alone = one.masked_array()
            np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(alone))
            assert np.ma.filled(found, 0).tobytes() == np.ma.filled(alone, 0).tobytes()


@pytest.mark.parametrize("name", ["mean", "max"])
def test_equal_blocks_are_accumulated_in_one_stack(stacked, name):
    values = numbers((60, 4, 5))
    _, a = recorded(values, (12, 4, 5))
    wanted = [getattr(biggus, name)(group, axis=0) for group in groups_of(a, 0, 6)]
    found = biggus.ndarrays(wanted)
    assert [size for size in stacked if size > 1] == [6] * 5  # one for each chunk
    np.testing.assert_array_equal(found[1], getattr(np, name)(values[2::6], axis=0))


def test_a_stack_has_no_more_elements_than_allowed(stacked, monkeypatch):
    monkeypatch.setattr(stacks, "_MOST", 6 * 20)
    _, a = recorded(numbers((60, 4, 5)), (12, 4, 5))
    biggus.ndarrays([group.mean(axis=0) for group in groups_of(a, 0, 12)])
    assert max(stacked) == 6


def test_the_partial_results_of_a_block_do_not_keep_its_stack():
    stack = np.arange(24.0).reshape(4, 1, 6)
    row = computing._row(stack, 2)
    assert row.base is None
    assert row.flags.writeable
    stack.flags.writeable = False
    assert not computing._row(stack, 2).flags.writeable


@pytest.mark.parametrize("alone", ["all axes", "a large block", "quantiles"])
def test_blocks_that_are_computed_alone(stacked, monkeypatch, alone):
    _, a = recorded(numbers((60, 4, 5)), (12, 4, 5))
    groups = groups_of(a, 0, 6)
    if alone == "all axes":
        wanted = [group.sum() for group in groups]
    elif alone == "a large block":
        monkeypatch.setattr(stacks, "_MOST", 79)
        wanted = [group.sum(axis=0) for group in groups]
    else:
        wanted = [biggus.quantile(group, 0.3, axis=0) for group in groups]
    biggus.ndarrays(wanted)
    assert set(stacked) <= {1}
