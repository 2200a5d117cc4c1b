"""Random trees of arrays, indexed with random keys, match NumPy."""

from __future__ import annotations

import numpy as np
import numpy_keys
import pytest

import biggus
from biggus.sources.wrappers import ObjectSource
from biggus.testing import strategies

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

DTYPES = ["u1", ">i2", "i8", "?", "f4", ">f8", "c16", "f2"]


class Plain:
    """A plain user object over an ndarray."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, box):
        return self.values[box]


class Serial(ObjectSource):
    """A source that is read in the caller's thread, like one behind a lock."""

    io_bound = False


def values_of(draw, shape):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    size = int(np.prod(shape))
    start = draw(st.integers(0, 50))
    return (np.arange(start, start + size) % 97).astype(dtype).reshape(shape)


def as_array(result, dtype):
    """Return NumPy's result as an array in `dtype`, as its scalars lose their byte order."""
    return result if isinstance(result, np.ndarray) else np.asarray(result, dtype)


@st.composite
def leaves(draw, shape):
    values = values_of(draw, shape)
    kind = draw(st.sampled_from(["memory", "plain", "chunked", "serial", "constant", "grid"]))
    if kind == "memory":
        return biggus.ArrayAdapter(values), values
    if kind == "plain":
        return biggus.ArrayAdapter(Plain(values)), values
    if kind == "constant":
        value = values.dtype.type(draw(st.integers(0, 9)))
        return biggus.full(shape, value, values.dtype), np.full(shape, value, values.dtype)
    if kind == "grid" and all(n % 2 == 0 for n in shape):
        tile = tuple(n // 2 for n in shape)

        def make_tile(index):
            spans = zip(index, tile, strict=True)
            return values[(..., *(slice(i * n, (i + 1) * n) for i, n in spans))]

        return biggus.GridMosaic(make_tile, (2,) * len(shape), tile, values.dtype), values
    chunks = tuple(draw(st.integers(1, max(1, n))) for n in shape)
    if kind == "serial":
        return biggus.ArrayAdapter(Serial(values, chunks)), values
    return biggus.ArrayAdapter(Plain(values), chunks=chunks), values


@st.composite
def trees(draw, shape=None, depth=3):  # noqa: C901 - one branch a kind of node
    """Draw a lazy array and the ndarray that it must equal."""
    if shape is None:
        shape = draw(strategies.shapes(max_dims=3, max_side=5))
    kinds = ["leaf"]
    if depth:
        kinds += ["cast", "transposed", "sliced", "broadcast"]
        if shape:
            kinds += ["mosaic", "mosaic", "stack"]
    kind = draw(st.sampled_from(kinds))
    if kind == "leaf":
        return draw(leaves(shape))
    if kind == "cast":
        array, values = draw(trees(shape, depth - 1))
        dtype = draw(st.sampled_from(["i4", "f8", "c8"]))
        with np.errstate(all="ignore"):
            return array.astype(dtype), np.asarray(values).astype(dtype)
    if kind == "transposed":
        axes = draw(st.permutations(range(len(shape))))
        inner = [0] * len(shape)
        for dim, axis in enumerate(axes):
            inner[axis] = shape[dim]
        array, values = draw(trees(tuple(inner), depth - 1))
        return array.transpose(axes), values.transpose(axes)
    if kind == "broadcast":
        inner = tuple(draw(st.sampled_from([1, n])) for n in shape)
        array, values = draw(trees(inner[draw(st.integers(0, len(shape))) :], depth - 1))
        return biggus.broadcast_to(array, shape), np.broadcast_to(values, shape)
    if kind == "sliced":
        margins = [draw(st.tuples(st.integers(0, 2), st.integers(1, 3))) for _ in shape]
        inner = tuple(before + n * step for n, (before, step) in zip(shape, margins, strict=True))
        array, values = draw(trees(inner, depth - 1))
        key = tuple(
            slice(before, before + n * step, step)
            for n, (before, step) in zip(shape, margins, strict=True)
        )
        return array[key], values[(..., *key)]
    if kind == "stack":
        parts = [draw(trees(shape[1:], depth - 1)) for _ in range(max(1, shape[0]))]
        key = slice(None, shape[0])
        stacked = np.stack([values for _, values in parts])
        return biggus.ArrayStack([array for array, _ in parts])[key], stacked[key]
    axis = draw(st.integers(0, len(shape) - 1))
    cuts = sorted(draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    lengths = np.diff([0, *cuts, shape[axis]])
    parts = [draw(trees((*shape[:axis], int(n), *shape[axis + 1 :]), depth - 1)) for n in lengths]
    joined = np.concatenate([values for _, values in parts], axis=axis)
    return biggus.LinearMosaic([array for array, _ in parts], axis=axis), joined


@settings(max_examples=4 * settings.default.max_examples)
@given(st.data())
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_random_keys_of_random_trees(data):
    array, values = data.draw(trees())
    assert array.shape == values.shape
    assert array.dtype == values.dtype
    np.testing.assert_array_equal(array.ndarray(), values)
    key = data.draw(numpy_keys.advanced_keys(values.shape))
    try:
        right = as_array(values[key], values.dtype)
    except Exception as error:
        # Older NumPy only warns of an index out of bounds if nothing is selected.
        late = isinstance(error, DeprecationWarning)
        with pytest.raises(IndexError if late else type(error)):
            array[key]
        return
    if right.size > 10_000:
        return
    got = array[key]
    assert got.shape == right.shape
    result = got.ndarray()
    assert result.dtype == right.dtype
    assert result.flags.writeable
    assert result.flags.c_contiguous
    assert not np.shares_memory(result, values)
    np.testing.assert_array_equal(result, right)
    again = data.draw(numpy_keys.advanced_keys(right.shape, invalid=False))
    if right[again].size <= 10_000:
        np.testing.assert_array_equal(got[again].ndarray(), right[again])


@given(st.data())
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_orthogonal_keys_of_random_trees(data):
    array, values = data.draw(trees(draw_shape(data)))
    key = data.draw(numpy_keys.oindex_keys(values.shape))
    right = numpy_keys.orthogonal(values, key)
    if right.size <= 10_000:
        np.testing.assert_array_equal(array.oindex[key].ndarray(), right)


def draw_shape(data):
    return data.draw(strategies.shapes(min_dims=1, max_dims=3, max_side=5))


@given(st.data())
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_grid_of_random_trees_fits_the_shape(data):
    array, _ = data.draw(trees())
    if array.grid is None:
        return
    assert len(array.grid) == array.ndim
    for n, lengths in zip(array.shape, array.grid, strict=True):
        assert sum(lengths) == n if isinstance(lengths, tuple) else lengths >= 1


@given(st.data())
def test_index_arrays_without_chunks(data):
    """Small limits stand in for many elements far apart."""
    shape = data.draw(strategies.shapes(min_dims=1, max_dims=3, min_side=1, max_side=30))
    values = np.arange(int(np.prod(shape)), dtype="i2").reshape(shape)
    key = []
    size = data.draw(st.integers(1, 20))
    for n in shape:
        kind = data.draw(st.sampled_from(["tied", "column", "slice", "integer"]))
        points = st.lists(st.integers(-n, n - 1), min_size=size, max_size=size)
        if kind == "tied":
            key.append(np.array(data.draw(points)))
        elif kind == "column":
            key.append(np.array(data.draw(points))[:3, None])
        else:
            key.append(slice(None, None, -2) if kind == "slice" else n - 1)
    right = values[tuple(key)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MANY_READS", 2), ("PART_BYTES", 16), ("OF_OBJECT", (6, 1))):
            patch.setattr(f"biggus.sources.scattered.{name}", value)
        np.testing.assert_array_equal(
            biggus.ArrayAdapter(Plain(values))[tuple(key)].ndarray(), right
        )
