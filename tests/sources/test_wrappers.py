"""Wrappers: they say what the source inside says, and nothing finds a way around them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import biggus
from biggus.sources.base import Source, read
from biggus.sources.wrappers import Annotated, ObjectSource, Wrapper

BOX = (slice(2, 6, 1),)


class Telling(Source):
    """A source each of whose answers is an object of its own, which notes what it is asked."""

    shape, dtype = (8,), np.dtype("i8")

    def __init__(self):
        self.asked = []
        self.answers = {
            name: object() for name in Wrapper.delegated if name not in {"shape", "dtype"}
        }
        for name, answer in self.answers.items():
            method = callable(getattr(Source, name, None))
            setattr(self, name, self._method(name) if method else answer)

    def _method(self, name):
        def answer(*arguments):
            self.asked.append((name, *arguments))
            return self.answers[name]

        return answer

    def __getitem__(self, box):
        return np.arange(8)[box]


def public(kind):
    return {name for name in {*kind.__annotations__, *vars(kind)} if not name.startswith("_")}


class Encoded(Telling):
    """A source that has its values as bytes, too, under no validator."""

    def fetch(self, box):
        return self[box], None

    def fetch_encoded(self, boxes):
        return [(self[box], None, self[box].tobytes()) for box in boxes]


def test_what_is_said_of_a_source_changes_nothing_of_its_stored_bytes():
    annotated = Annotated(Encoded(), token="said", lock=threading.Lock())
    ((values, validator, data),) = annotated.fetch_encoded([BOX])
    assert (validator, data) == (b"token", np.arange(2, 6).tobytes())
    np.testing.assert_array_equal(values, np.arange(2, 6))
    # A wrapper may change values: then they are not those of the bytes.
    assert Wrapper(Encoded()).fetch_encoded([BOX])[0][1:] == (None, None)


def test_all_but_the_ways_of_reading_is_delegated():
    of_many = {"fetch_many", "fetch_encoded", "revalidate_many"}
    apart = {"fetch", *of_many, "cached_read", "read_into", "stream"}
    assert set(Wrapper.delegated) == public(Source) - apart
    inner = Telling()
    wrapped = Wrapper(inner)
    for name, answer in inner.answers.items():
        told = getattr(wrapped, name)
        assert (told(BOX, b"held") if callable(told) else told) is answer, name
    methods = {name for name in Wrapper.delegated if callable(getattr(Source, name, None))}
    assert methods == {
        *(
            "peak_bytes",
            "state",
            "validator",
            "cached_validator",
            "revalidate",
            "revalidation_waits",
            "cached_bytes",
            "bytes_in_memory",
        ),
        *("sibling", "group_attributes"),
    }
    assert sorted(inner.asked) == sorted((name, BOX, b"held") for name in methods)


class Doubling(Wrapper):
    """A wrapper that changes values, by the two ways of reading that there are."""

    def __getitem__(self, box):
        return self.source[box] * 2

    def fetch(self, box):
        values, validator = self.source.fetch(box)
        return values * 2, validator


def test_what_is_at_hand_finds_no_way_around_a_wrapper(tmp_path):
    with biggus.Cache(tmp_path) as cache:
        cached = cache.wrap(ObjectSource(np.arange(8), chunks=(2,), token="eight"))
        array = biggus.ArrayAdapter(Doubling(cached))
        for _ in range(2):  # from the source, and from the cache
            np.testing.assert_array_equal(array.ndarray(), 2 * np.arange(8))
            assert cache.wrap(cached).cached_read((slice(0, 2, 1),)) is not None
        annotated = Annotated(cached, token="mine")
        assert annotated.cached_read((slice(2, 4, 1),)).tolist() == [2, 3]


class Guarded(Source):
    """A source that is only read while a lock is held."""

    shape, dtype, chunks = (8,), np.dtype("i8"), (2,)
    token, name = "guarded", "guarded"

    def __init__(self, needed, lock=None):
        self.needed = needed
        self.lock = lock

    def state(self):
        return b"one"

    def __getitem__(self, box):
        assert self.needed.locked()
        return np.arange(8)[box]


@pytest.mark.parametrize("own", [False, True])
def test_a_lock_that_is_given_is_held_cached_or_not(tmp_path, own):
    lock = threading.Lock()  # which nobody can take twice
    source = Guarded(lock, lock if own else None)
    annotated = Annotated(source, lock=lock)
    assert read(annotated, BOX).tolist() == [2, 3, 4, 5]
    assert annotated.fetch(BOX)[0].tolist() == [2, 3, 4, 5]
    with biggus.Cache(tmp_path) as cache:
        array = biggus.ArrayAdapter(source, lock=lock, cache=cache)
        np.testing.assert_array_equal(array.ndarray(), np.arange(8))
        assert cache.stats().entries == 4
    assert not lock.locked()


class TileLoader:
    """An object of a user's, none of whose reads succeed."""

    shape, dtype = (8,), np.dtype("i8")

    def __getitem__(self, box):
        raise OSError("the disk is on fire")


class Called(TileLoader):
    """One that says what it is called, and notes how often it was asked."""

    def __init__(self, called):
        self.called = called
        self.asked = 0

    def __repr__(self):
        self.asked += 1
        if isinstance(self.called, Exception):
            raise self.called
        return self.called


@pytest.mark.parametrize(
    ("obj", "name"),
    [
        (TileLoader(), "TileLoader object"),
        (Called("Tiles of z=9"), "Tiles of z=9"),
        (Called("Tiles\nof z=9"), "Tiles"),
        (Called("x" * 80), "x" * 80),
        (Called("x" * 81), "x" * 77 + "..."),
        (Called(""), "Called object"),
        (Called(None), "Called object"),
        (Called(ValueError("no words")), "Called object"),
    ],
)
def test_the_name_of_an_object_is_what_it_says_of_itself(obj, name):
    array = biggus.ArrayAdapter(obj)[2:6]
    _ = array.shape, array.dtype, repr(array)
    assert getattr(obj, "asked", 0) == 0
    with pytest.raises(biggus.SourceError) as caught:
        array.ndarray()
    assert str(caught.value) == f"cannot read {name} [2:6]: the disk is on fire"
