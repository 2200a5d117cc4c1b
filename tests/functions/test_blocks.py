"""map_blocks and map_overlap match dask, and read only the blocks that are needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import assert_same, lazy

import biggus
from biggus.testing import ArraySource, RecordingSource

VALUES = np.arange(60.0).reshape(6, 10)
CHUNKS = (2, 4)


@pytest.fixture(scope="module")
def da():
    return pytest.importorskip("dask.array")


def both(da, values=VALUES, chunks=CHUNKS):
    source = RecordingSource(ArraySource(values, chunks))
    return source, biggus.ArrayAdapter(source), da.from_array(values, chunks=chunks)


def numbered(block, other, block_id=None):
    return block * 100 + other + block_id[1]


MAPPED = {
    "same": (lambda b: b - b.mean(), {}),
    "keywords": (np.clip, {"a_min": 3, "a_max": 40}),
    "another dtype": (lambda b: b > b.mean(), {}),
    "cast": (lambda b: b + b.sum(), {"dtype": "f4"}),
    "dropped": (lambda b: b.sum(axis=1), {"drop_axis": 1, "dtype": "f8"}),
    "dropped both": (lambda b: b.sum(), {"drop_axis": [0, 1], "dtype": "f8"}),
    "added": (lambda b: b[None] + 1, {"new_axis": 0}),
    "added, longer": (lambda b: np.stack([b, b], 1), {"new_axis": 1, "chunks": (2, 2, (4, 4, 2))}),
    "longer": (lambda b: np.repeat(b, 2, 0), {"chunks": (4, (4, 4, 2))}),
    "shorter": (lambda b: b.sum(1, keepdims=True), {"chunks": (2, 1)}),
}


@pytest.mark.parametrize("name", MAPPED)
def test_map_blocks_matches_dask(da, name):
    function, keywords = MAPPED[name]
    source, array, theirs = both(da)
    ours = biggus.map_blocks(function, array, **keywords)
    assert not source.boxes
    expected = da.map_blocks(function, theirs, **keywords).compute()
    assert_same(ours, np.asarray(expected).astype(keywords.get("dtype", expected.dtype)))


def test_map_blocks_broadcasts_and_passes_block_id(da):
    _, array, theirs = both(da)
    row = VALUES[0]
    ours = biggus.map_blocks(numbered, array, biggus.ArrayAdapter(row), dtype="f8")
    theirs = da.map_blocks(numbered, theirs, da.from_array(row, chunks=4), dtype="f8")
    assert_same(ours, theirs.compute())
    assert_same(biggus.map_blocks(np.add, array, 3), VALUES + 3)
    assert_same(
        biggus.map_blocks(np.add, array, biggus.ArrayAdapter(VALUES[:, :1])), VALUES + VALUES[:, :1]
    )


@settings(max_examples=10)
@given(
    depth=st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2))),
    boundary=st.sampled_from(["reflect", "periodic", "nearest", "none", None, 7.5]),
)
def test_map_overlap_matches_dask(da, depth, boundary):
    source, array, theirs = both(da)

    def function(block):
        return np.cumsum(block, 0) * np.roll(block, 1, 1)

    ours = biggus.map_overlap(function, array, depth=depth, boundary=boundary, dtype="f8")
    assert not source.boxes
    theirs = da.map_overlap(function, theirs, depth=depth, boundary=boundary, dtype="f8")
    assert_same(ours, theirs.compute())


def test_map_overlap_with_asymmetric_depth(da):
    _, array, _ = both(da)
    shifted = biggus.map_overlap(
        lambda b: np.roll(b, -1, 1), array, depth={1: (0, 1)}, boundary={1: -1.0}
    )
    assert_same(shifted, np.concatenate([VALUES[:, 1:], np.full((6, 1), -1.0)], 1))


def test_only_needed_blocks_are_read(da):
    source, array, _ = both(da)
    assert biggus.map_blocks(lambda b: b - b.min(), array, dtype="f8")[0, 5].ndarray() == 1
    assert source.boxes == [(slice(0, 2, 1), slice(4, 8, 1))]
    del source.boxes[:]
    near = biggus.map_overlap(np.copy, array, depth={1: 1}, dtype="f8")[3, 9].ndarray()
    assert near == VALUES[3, 9]
    assert all(box[0] == slice(2, 4, 1) for box in source.boxes)
    assert min(box[1].start for box in source.boxes) == 7


def test_missing_values_are_passed_to_the_function(da):
    values = np.ma.masked_greater(VALUES, 40)
    _, array = lazy(values)
    assert_same(biggus.map_blocks(lambda b: b * 2, array), values * 2)
    assert_same(biggus.map_overlap(np.ma.copy, array, depth=1, boundary=0.0), values)
    _, plain, _ = both(da)
    with pytest.raises(TypeError, match="without missing values"):
        biggus.map_blocks(lambda b: np.ma.masked_less(b, 3), plain, dtype="f8").ndarray()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda a: biggus.map_blocks(np.copy, VALUES), TypeError),
        (lambda a: biggus.map_blocks(lambda b: b[5], a), TypeError),
        (lambda a: biggus.map_blocks(np.copy, a, drop_axis=2), np.exceptions.AxisError),
        (lambda a: biggus.map_blocks(np.copy, a, chunks=(2,)), ValueError),
        (lambda a: biggus.map_blocks(np.copy, a, chunks=(2, (4, 4))), ValueError),
        (lambda a: biggus.map_blocks(np.add, a, biggus.ArrayAdapter(VALUES[:3])), ValueError),
        (lambda a: biggus.map_blocks(np.sum, a, dtype="f8").ndarray(), ValueError),
        (lambda a: biggus.map_blocks(np.copy, a, dtype="i4").ndarray(), TypeError),
        (lambda a: biggus.map_overlap(np.copy, a, depth=7), ValueError),
        (lambda a: biggus.map_overlap(np.copy, a, depth=(1, 1, 1)), ValueError),
        (lambda a: biggus.map_overlap(np.copy, a, depth=1, boundary="mirror"), ValueError),
        (lambda a: biggus.map_overlap(np.sum, a, depth=1, dtype="f8").ndarray(), ValueError),
    ],
)
def test_invalid_arguments_raise(da, call, error):
    with pytest.raises(error):
        call(both(da)[1])


@pytest.mark.parametrize("memory", ["8 MB", "1 GB"])
def test_map_blocks_does_not_depend_on_memory(da, memory):
    values = np.random.default_rng(1).random((40, 1000))
    _, array, theirs = both(da, values, (4, 100))
    with biggus.set_options(memory=memory, workers=2):
        mapped = biggus.map_blocks(lambda b: b / b.sum(), array)
        found, total = biggus.ndarrays([mapped, mapped.sum()])
    np.testing.assert_array_equal(found, da.map_blocks(lambda b: b / b.sum(), theirs).compute())
    assert total == biggus.map_blocks(lambda b: b / b.sum(), array).sum().ndarray()


def test_block_larger_than_the_budget_raises_before_reading(da):
    source, array, _ = both(da, np.zeros((200, 1000)), (200, 1000))
    with biggus.set_options(memory="1 MB"), pytest.raises(biggus.errors.MemoryBudgetError):
        biggus.map_blocks(np.copy, array).ndarray()
    assert not source.boxes


def test_axes_keep_their_names(tmp_path):
    pytest.importorskip("h5py")
    netcdf4 = pytest.importorskip("netCDF4")
    with netcdf4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("y", 6)
        file.createDimension("x", 10)
        file.createVariable("v", "f8", ("y", "x"))[:] = VALUES
    array = biggus.open(tmp_path / "a.nc", "v")
    assert biggus.map_blocks(np.ma.copy, array).dims == ("y", "x")
    assert biggus.map_blocks(np.ma.sum, array, drop_axis=0, dtype="f8").dims == ("x",)
    assert biggus.map_overlap(np.ma.copy, array, depth=1, boundary=0.0).dims == ("y", "x")
