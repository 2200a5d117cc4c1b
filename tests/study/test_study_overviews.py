"""Overviews in studies: receipts cover the data they are made from, wherever they are kept."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.pyramids.of_array import kept_overviews
from biggus.study.bundle import Bundle
from biggus.testing import ArraySource

pytestmark = pytest.mark.usefixtures("trust_new_files")

SHAPE = (1000, 1300)
TALL = (58_300, 40)
"""A shape whose overviews have an extra level between powers of two."""


@pytest.fixture
def trust_new_files(monkeypatch):
    """Trust files that have just been written."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)


def written(shape=SHAPE, name="a.npy"):
    np.save(name, np.random.default_rng(2).integers(0, 99, shape).astype("i2"))
    return biggus.open(name)


def array(name="a.npy"):
    return biggus.open(name)[10:].T


def pyramids(cache):
    """Yield the pyramid made in memory, made in a cache, and found in that cache."""
    yield biggus.overviews(array(), cache=False)
    yield biggus.overviews(array(), cache=cache)
    yield kept_overviews(array(), cache=cache)


PARTS = {
    "all": lambda a: a,
    "corner": lambda a: a[:9, :9],
    "last": lambda a: a[-1, -1],
    "first and last row": lambda a: a[:: a.shape[0] - 1, 3],
    "computed": lambda a: (a[2:4] - a.mean()).max(axis=0),
}


@pytest.mark.parametrize(("part", "number"), list(zip(PARTS, (1, 2, 1, 2, 1), strict=True)))
def test_receipt_does_not_depend_on_where_overviews_are_kept(folder, part, number):
    written()
    select = PARTS[part]
    cache = biggus.Cache("cache")
    receipts = {biggus.receipt([select(pyramid[number])]) for pyramid in pyramids(cache)}
    pyramid = kept_overviews(array(), cache=cache)
    with ThreadPoolExecutor(2) as pool:
        for options in ({"workers": 1}, {"executor": pool}, {"memory": "6 MB"}, {"offline": True}):
            with biggus.set_options(**options):
                receipts.add(biggus.receipt([select(pyramid[number])]))
    cache.clear()
    receipts.add(biggus.receipt([select(pyramid[number])]))
    assert len(receipts) == 1
    for each in pyramids(cache):
        with biggus.record("study.biggus", overwrite=True) as study:
            select(each[number]).ndarray()
        assert study.receipt in receipts
        with biggus.replay("study.biggus"):
            assert biggus.receipt([select(each[number])]) == study.receipt


def test_receipt_of_a_part_covers_only_the_data_below_it():
    values = np.arange(1_300_000.0).reshape(SHAPE)

    def receipts():
        source = ArraySource(values.copy(), (100, 130), token="t")
        made = biggus.overviews(biggus.ArrayAdapter(source), cache=False)
        wholes = {biggus.receipt(each) for each in (made, [made[0]], [made[1]], [made[2]])}
        return wholes, biggus.receipt([made[1][:40, :40]])

    (whole,), part = receipts()
    values[-1, -1] += 1
    (other,), same = receipts()
    assert len({whole, part, other}) == 3
    assert same == part


def test_receipt_of_the_extra_level(folder):
    tall = written(TALL)
    cache = biggus.Cache("cache")
    receipts = set()
    for kept in (False, cache):
        made = biggus.overviews(tall, cache=kept)
        (between,) = [level.array for level in made.levels if max(level.factors) == 72]
        receipts.add(biggus.receipt([between[:3]]))
        values = between[:3].ndarray()
        with biggus.record("study.biggus", overwrite=True) as study:
            assert (between[:3].ndarray() == values).all()
        assert receipts == {study.receipt}
        with biggus.replay("study.biggus"):
            assert (between[:3].ndarray() == values).all()
    assert receipts != {biggus.receipt([tall])}


@pytest.mark.parametrize(("shape", "kept"), [(SHAPE, False), (SHAPE, True), (TALL, False)])
def test_program_with_overviews_is_replayed(folder, shape, kept):
    written(shape)
    cache = biggus.Cache("cache") if kept else False

    def program():
        made = biggus.overviews(biggus.open("a.npy"), cache=cache)
        return [level.array.ndarray() for level in made.levels[1:]]

    plain = program()
    with biggus.record("study.biggus") as study:
        recorded = program()
    held = [held.token for held in Bundle("study.biggus").sources.values() if held.chunks]
    assert held == [f"npy:{folder}/a.npy::values"]
    expected = biggus.receipt(biggus.overviews(biggus.open("a.npy"), cache=cache))
    (folder / "a.npy").unlink()
    with biggus.replay("study.biggus"):
        replayed = program()
        made = biggus.overviews(biggus.open("a.npy"))
        assert biggus.receipt(made) == biggus.receipt([made[1]]) == expected
    assert study.receipt == expected
    for one, other, third in zip(plain, recorded, replayed, strict=True):
        assert one.tobytes() == other.tobytes() == third.tobytes()


def test_overviews_are_made_once_per_study(folder):
    with biggus.record("study.biggus"):
        made = biggus.overviews(written())
        assert made[2].node.source.in_memory
    with biggus.record("another.biggus"):
        assert not made[2].node.source.in_memory
    assert made[2].node.source.in_memory


def test_overviews_in_memory_pickle_with_their_values():
    values = np.arange(360_000.0).reshape(600, 600)
    made = biggus.overviews(biggus.ArrayAdapter(values), cache=False)
    sent = pickle.dumps(made[1])
    assert len(sent) < 800_000 + 300 * 300
    assert (pickle.loads(sent).ndarray() == made[1].ndarray()).all()
