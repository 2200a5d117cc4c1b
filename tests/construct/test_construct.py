"""Functions that take several arrays accept any iterable, generators included."""

from __future__ import annotations

import numpy as np
import pytest

import biggus

ADAPT = biggus.ArrayAdapter
VALUES = [np.arange(6.0).reshape(2, 3) + 10 * number for number in range(3)]


def arrays():
    return [ADAPT(values) for values in VALUES]


ITERABLES = {
    "generator": lambda items: (item for item in items),
    "iterator": iter,
    "map": lambda items: map(items.__getitem__, range(len(items))),
    "values of a dict": lambda items: dict(enumerate(items)).values(),
    "tuple": tuple,
}


@pytest.fixture(params=ITERABLES.values(), ids=ITERABLES)
def make_iterable(request):
    return request.param


@pytest.mark.parametrize("max_bytes", [None, "1 GB"])
def test_ndarrays_masked_arrays_and_plan(make_iterable, max_bytes):
    found = biggus.ndarrays(make_iterable([a.sum(axis=0) for a in arrays()]), max_bytes=max_bytes)
    np.testing.assert_array_equal(found, [values.sum(axis=0) for values in VALUES])
    found = biggus.masked_arrays(make_iterable(arrays()), max_bytes=max_bytes)
    np.testing.assert_array_equal(found, VALUES)
    planned = biggus.plan(make_iterable(arrays()), max_bytes=max_bytes)
    assert str(planned) == str(biggus.plan(arrays()))


def test_max_bytes_is_respected(make_iterable):
    with pytest.raises(biggus.errors.ReadLimitError):
        biggus.ndarrays(
            make_iterable([biggus.ArrayAdapter(Plain(values)) for values in VALUES]), max_bytes=1
        )


class Plain:
    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, box):
        return self.values[box]


@pytest.mark.parametrize(
    ("join", "numpys"),
    [
        (biggus.LinearMosaic, np.concatenate),
        (biggus.concatenate, np.concatenate),
        (lambda items: biggus.concatenate(items, dtype="f4"), np.concatenate),
        (biggus.ArrayStack, np.stack),
        (biggus.stack, np.stack),
    ],
)
def test_join(make_iterable, join, numpys):
    np.testing.assert_array_equal(join(make_iterable(arrays())).ndarray(), numpys(VALUES))


def test_stack_of_stacks(make_iterable):
    rows = biggus.ArrayStack(
        make_iterable([make_iterable(arrays()), make_iterable(arrays()[::-1])])
    )
    np.testing.assert_array_equal(rows.ndarray(), np.stack([VALUES, VALUES[::-1]]))


def test_save(make_iterable, tmp_path):
    into = [np.zeros((2, 3)) for _ in VALUES]
    biggus.save(make_iterable(arrays()), iter(into))
    np.testing.assert_array_equal(into, VALUES)
    paths = [tmp_path / f"{number}.npy" for number in range(3)]
    biggus.save(make_iterable(arrays()), (path for path in paths))
    np.testing.assert_array_equal([np.load(path) for path in paths], VALUES)


def test_open_many(tmp_path):
    h5py = pytest.importorskip("h5py")
    paths = [tmp_path / f"{number}.h5" for number in range(3)]
    for path, values in zip(paths, VALUES, strict=True):
        with h5py.File(path, "w") as file:
            file["v"] = values
    for stack, numpys in ((False, np.concatenate), (True, np.stack)):
        found = biggus.open_many((path for path in paths), "v", stack=stack)
        np.testing.assert_array_equal(found.ndarray(), numpys(VALUES))


@pytest.mark.parametrize("item", [b"ab", bytearray(b"ab"), {0: 1}, "ab"])
def test_text_and_mappings_raise(item):
    with pytest.raises(TypeError, match="no shape"):
        biggus.ArrayStack([item, item])


@pytest.mark.parametrize(
    "take",
    [biggus.ndarrays, biggus.masked_arrays, biggus.LinearMosaic, biggus.ArrayStack],
)
def test_non_sequences_raise(take):
    for wrong in (biggus.ones((2, 3)), {1, 2}, frozenset(), 3, None):
        with pytest.raises(TypeError, match=r"\[a, b\]"):
            take(wrong)


def test_several_arrays_need_several_targets():
    for target in (np.zeros((2, 3)), "a.npy", 3):
        with pytest.raises(TypeError, match="list of targets"):
            biggus.save((a for a in arrays()), target)
    with pytest.raises(ValueError, match="3 arrays, but 1 targets"):
        biggus.save((a for a in arrays()), (t for t in [np.zeros((2, 3))]))
