"""NumPy's functions that move, repeat, join and split values are lazy and match NumPy."""

import numpy as np
import pytest
from surface import assert_same, check, lazy, outcome

import biggus
from biggus.testing import ArraySource, RecordingSource
from biggus.testing.checks import case

SHAPES = [(), (1,), (6,), (4, 4), (3, 5), (2, 3, 4), (1, 4, 1), (0, 3), (5, 2, 1, 3)]

CALLS = {
    "reshape -1": lambda a: np.reshape(a, -1),
    "reshape to the reversed shape": lambda a: np.reshape(a, a.shape[::-1]),
    "reshape F": lambda a: np.reshape(a, a.shape[::-1], order="F"),
    "reshape (2, -1)": lambda a: np.reshape(a, (2, -1)),
    "reshape (-1, 1, 3)": lambda a: np.reshape(a, (-1, 1, 3)),
    "reshape (1, -1, 2)": lambda a: np.reshape(a, (1, -1, 2)),
    "reshape last two": lambda a: np.reshape(a, (*a.shape[:-2], -1)),
    "reshape twice": lambda a: np.reshape(np.reshape(a, (-1, 2)), (3, -1)),
    "reshape (7,)": lambda a: np.reshape(a, (7,)),
    "reshape two unknown": lambda a: np.reshape(a, (-1, -1)),
    "ravel": np.ravel,
    "ravel F": lambda a: np.ravel(a, order="F"),
    "ravel of flipped rows": lambda a: np.ravel(a[::-1]),
    "resize": lambda a: np.resize(a, (3, 4)),
    "resize to fewer": lambda a: np.resize(a, 2),
    "atleast_1d": np.atleast_1d,
    "atleast_2d": np.atleast_2d,
    "atleast_3d": np.atleast_3d,
    "atleast_2d of two": lambda a: np.atleast_2d(a, a),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    **{f"rot90 {k}": lambda a, k=k: np.rot90(a, k) for k in (-1, 0, 1, 2, 3)},
    "rot90 of other axes": lambda a: np.rot90(a, 1, (2, 0)),
    "rollaxis": lambda a: np.rollaxis(a, 1),
    "rollaxis to the end": lambda a: np.rollaxis(a, 0, a.ndim),
    "rollaxis too far": lambda a: np.rollaxis(a, 0, a.ndim + 1),
    "matrix_transpose": np.matrix_transpose,
    "roll": lambda a: np.roll(a, 2),
    "roll back": lambda a: np.roll(a, -7),
    "roll along an axis": lambda a: np.roll(a, 1, axis=0),
    "roll along two axes": lambda a: np.roll(a, (1, -3), axis=(0, 1)),
    "roll twice along one axis": lambda a: np.roll(a, (1, 1), axis=(-1, -1)),
    "repeat": lambda a: np.repeat(a, 2),
    "repeat along an axis": lambda a: np.repeat(a, 3, axis=-1),
    "repeat unevenly": lambda a: np.repeat(a, np.arange(a.shape[0]), axis=0),
    "repeat by a float": lambda a: np.repeat(a, 0.5, axis=0),
    "tile": lambda a: np.tile(a, 2),
    "tile with more axes": lambda a: np.tile(a, (2, 1, 3, 1)),
    "tile 0 times": lambda a: np.tile(a, 0),
    "compress": lambda a: np.compress([True, False, True], a, axis=0),
    "compress flat": lambda a: np.compress([False, True], a),
    "delete": lambda a: np.delete(a, 0, axis=0),
    "delete some": lambda a: np.delete(a, [0, 2], axis=-1),
    "delete a slice": lambda a: np.delete(a, slice(1, None, 2), axis=0),
    "delete flat": lambda a: np.delete(a, -1),
    "delete too far": lambda a: np.delete(a, 99, axis=0),
    "insert": lambda a: np.insert(a, 1, 7, axis=0),
    "insert several": lambda a: np.insert(a, [0, 2, 2], 7, axis=-1),
    "insert rows": lambda a: np.insert(a, 1, a[0], axis=0),
    "insert flat": lambda a: np.insert(a, 1, [5, 6]),
    "append": lambda a: np.append(a, a),
    "append along an axis": lambda a: np.append(a, a, axis=-1),
    "concatenate flat": lambda a: np.concatenate([a, a], axis=None),
    "dstack": lambda a: np.dstack([a, a]),
    "column_stack": lambda a: np.column_stack([a, a]),
    "block": lambda a: np.block([[a, a], [a, a]]),
    "block of one array": np.block,
    "block uneven": lambda a: np.block([a, [a]]),
    "array_split": lambda a: np.array_split(a, 3),
    "array_split at": lambda a: np.array_split(a, [1, 2], axis=-1),
    "array_split none": lambda a: np.array_split(a, 0),
    "split": lambda a: np.split(a, 2, axis=-1),
    "hsplit": lambda a: np.hsplit(a, 2),
    "vsplit": lambda a: np.vsplit(a, 2),
    "dsplit": lambda a: np.dsplit(a, 2),
    "diagonal": np.diagonal,
    "diagonal above": lambda a: np.diagonal(a, 1),
    "diagonal below along other axes": lambda a: np.diagonal(a, -1, -1, 0),
    "diagonal of one axis twice": lambda a: np.diagonal(a, 0, 0, 0),
    "diag": np.diag,
    "diag below": lambda a: np.diag(a, -2),
    "diagflat": lambda a: np.diagflat(a, 1),
    "tril": np.tril,
    "tril above": lambda a: np.tril(a, 1),
    "triu": np.triu,
    "triu below": lambda a: np.triu(a, -2),
    "trace": np.trace,
    "trace above": lambda a: np.trace(a, 1, -2, -1),
}
if hasattr(np, "unstack"):
    CALLS |= {"unstack": np.unstack, "unstack last": lambda a: np.unstack(a, axis=-1)}

COMPUTED = {"trace", "trace above", "insert", "insert several", "insert flat"}
"""Functions that compute new values; all others only move values."""


@pytest.mark.parametrize("name", CALLS)
def test_function_is_lazy_and_matches_numpy(name):
    for shape in SHAPES:
        values = np.arange(1, 1 + np.prod(shape, dtype=int), dtype="i2").reshape(shape)
        with case(shape=shape):
            check(CALLS[name], values)


@pytest.mark.parametrize("name", sorted(set(CALLS) - COMPUTED))
def test_masks_move_with_their_values(name):
    data = np.arange(1, 13, dtype="f4").reshape(3, 4)
    mask = data % 3 == 0
    _, array = lazy(np.ma.MaskedArray(data, mask))
    theirs = [outcome(CALLS[name], each) for each in (data, mask)]
    if any(isinstance(each, Exception) for each in theirs):
        pytest.skip("NumPy refuses this shape")
    ours = CALLS[name](array)
    if not isinstance(ours, (list, tuple)):
        ours, theirs = [ours], [[each] for each in theirs]
    for one, values, missing in zip(ours, *theirs, strict=True):
        assert_same(one, np.ma.MaskedArray(values, missing if missing.dtype == bool else None))


KEYS = [
    np.s_[3],
    np.s_[1:4, ::-2],
    np.s_[:, 3],
    np.s_[[4, 0, 4], 2:],
    np.s_[..., [5, 1]],
    np.s_[None, 2:2],
    np.s_[::3, 5],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (6, 2, 5), (5, 12), (60, 1), (4, 15)], ids=str)
@pytest.mark.parametrize("chunks", [(1, 2, 3), (5, 3, 4), (2, 1, 1)], ids=str)
def test_selection_of_a_reshaped_array(shape, key, chunks):
    values = np.random.default_rng(0).random((5, 3, 4))
    array = biggus.ArrayAdapter(ArraySource(values, chunks))
    theirs = outcome(lambda a: a.reshape(shape)[key], values)
    ours = outcome(lambda a: np.reshape(a, shape)[key], array)
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs))
        return
    assert_same(ours, theirs)
    total = ((ours - ours.max()) * 2).sum() if theirs.size else ours.sum()
    expected = ((theirs - theirs.max()) * 2).sum() if theirs.size else theirs.sum()
    np.testing.assert_allclose(total.ndarray(), expected)


def test_element_of_a_reshaped_array_reads_only_its_chunk():
    source = RecordingSource(ArraySource(np.arange(240).reshape(10, 4, 6), (1, 4, 6)))
    array = np.reshape(biggus.ArrayAdapter(source), (10, 24))
    assert array[3, 5:7].ndarray().tolist() == [77, 78]
    assert source.boxes == [(slice(3, 4, 1), slice(0, 2, 1), slice(0, 6, 1))]


def test_reshaped_array_is_read_once():
    source = RecordingSource(ArraySource(np.arange(240).reshape(10, 4, 6), (2, 2, 3)))
    array = np.reshape(biggus.ArrayAdapter(source), -1)
    assert array.ndarray().tolist() == list(range(240))
    assert array.sum().ndarray() == sum(range(240))
    read = sum(np.prod([s.stop - s.start for s in box]) for box in source.boxes)
    assert read == 2 * 240


KEEPING_BYTE_ORDER = {
    "roll": lambda a: np.roll(a, 1),
    "tile": lambda a: np.tile(a, 2),
    "insert": lambda a: np.insert(a, 1, 3, axis=0),
    "diag": lambda a: np.diag(a[0]),
    "diagflat": np.diagflat,
    "ediff1d": np.ediff1d,
    "ediff1d with ends": lambda a: np.ediff1d(a, to_begin=1),
    "pad": lambda a: np.pad(a, 1),
    "fftshift": np.fft.fftshift,
    "sliding_window_view": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, 0),
    "piecewise": lambda a: np.piecewise(a, [a > 1], [0, 1]),
    "concatenate": lambda a: np.concatenate([a, a]),
    "concatenate with a dtype": lambda a: np.concatenate([a, a], dtype=">f8"),
}


@pytest.mark.parametrize("name", KEEPING_BYTE_ORDER)
def test_byte_order_matches_numpy(name):
    check(KEEPING_BYTE_ORDER[name], np.arange(6).reshape(2, 3).astype(">f4"))


@pytest.mark.parametrize("most", [0, 2])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3, [2], "each"])
def test_repeat_of_many_copies_matches_numpy(monkeypatch, most, axis, repeats):
    monkeypatch.setattr("biggus.functions.rearranging._MOST_COPIES", most)
    values = np.arange(24).reshape(2, 3, 4)
    if repeats == "each":
        repeats = np.arange(24 if axis is None else values.shape[axis])
    found = np.repeat(biggus.ArrayAdapter(values), repeats, axis)
    np.testing.assert_array_equal(found.ndarray(), np.repeat(values, repeats, axis))


@pytest.mark.parametrize("reps", [0, 3, (2, 1, 3), (3, 1, 1, 2), (0, 4)])
def test_tile_of_many_copies_matches_numpy(monkeypatch, reps):
    monkeypatch.setattr("biggus.functions.rearranging._MOST_COPIES", 1)
    values = np.arange(24).reshape(2, 3, 4)
    found = np.tile(biggus.ArrayAdapter(values), reps)
    np.testing.assert_array_equal(found.ndarray(), np.tile(values, reps))


def test_repeat_and_tile_to_a_huge_shape():
    array = biggus.ArrayAdapter(np.arange(12).reshape(3, 4))
    many = 2**40
    assert np.repeat(array, many, axis=0)[[0, many, -1], 0].ndarray().tolist() == [0, 4, 8]
    assert np.repeat(array, [1, many, 2], axis=0)[[0, many, -1], 0].ndarray().tolist() == [0, 4, 8]
    assert np.tile(array, (many, 1))[-2:, 0].ndarray().tolist() == [4, 8]
    with pytest.raises(ValueError, match="negative"):
        np.repeat(array, [many, -1, 1], axis=0)
