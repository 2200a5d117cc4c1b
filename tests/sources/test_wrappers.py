"""Wrappers delegate to the source inside, and no read bypasses them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import biggus
from biggus.sources.base import Source, read
from biggus.sources.wrappers import Annotated, ObjectSource, Wrapper

BOX = (slice(2, 6, 1),)


class SentinelSource(Source):
    """A source whose attributes and methods give distinct sentinels, and that records its calls."""

    shape, dtype = (8,), np.dtype("i8")

    def __init__(self):
        self.calls = []
        self.answers = {
            name: object() for name in Wrapper.delegated if name not in {"shape", "dtype"}
        }
        for name, answer in self.answers.items():
            method = callable(getattr(Source, name, None))
            setattr(self, name, self._method(name) if method else answer)

    def _method(self, name):
        def answer(*arguments):
            self.calls.append((name, *arguments))
            return self.answers[name]

        return answer

    def __getitem__(self, box):
        return np.arange(8)[box]


def public(kind):
    return {name for name in {*kind.__annotations__, *vars(kind)} if not name.startswith("_")}


class Encoded(SentinelSource):
    """A source that can return encoded values, without a validator."""

    def fetch(self, box):
        return self[box], None

    def fetch_encoded(self, boxes):
        return [(self[box], None, self[box].tobytes()) for box in boxes]


def test_annotated_source_keeps_its_encoded_values():
    annotated = Annotated(Encoded(), token="token", lock=threading.Lock())
    ((values, validator, data),) = annotated.fetch_encoded([BOX])
    assert (validator, data) == (b"token", np.arange(2, 6).tobytes())
    np.testing.assert_array_equal(values, np.arange(2, 6))
    # Other wrappers may change values, so they return no encoded values.
    assert Wrapper(Encoded()).fetch_encoded([BOX])[0][1:] == (None, None)


def test_wrapper_delegates_everything_but_reads():
    of_many = {"fetch_many", "fetch_encoded", "revalidate_many"}
    apart = {"fetch", *of_many, "cached_read", "read_into", "stream"}
    assert set(Wrapper.delegated) == public(Source) - apart
    inner = SentinelSource()
    wrapped = Wrapper(inner)
    for name, answer in inner.answers.items():
        found = getattr(wrapped, name)
        assert (found(BOX, b"held") if callable(found) else found) is answer, name
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
    assert sorted(inner.calls) == sorted((name, BOX, b"held") for name in methods)


class Doubling(Wrapper):
    """A wrapper that changes values, in both methods that read."""

    def __getitem__(self, box):
        return self.source[box] * 2

    def fetch(self, box):
        values, validator = self.source.fetch(box)
        return values * 2, validator


def test_cached_reads_do_not_bypass_a_wrapper(tmp_path):
    with biggus.Cache(tmp_path) as cache:
        cached = cache.wrap(ObjectSource(np.arange(8), chunks=(2,), token="eight"))
        array = biggus.ArrayAdapter(Doubling(cached))
        for _ in range(2):  # from the source, then from the cache
            np.testing.assert_array_equal(array.ndarray(), 2 * np.arange(8))
            assert cache.wrap(cached).cached_read((slice(0, 2, 1),)) is not None
        annotated = Annotated(cached, token="mine")
        assert annotated.cached_read((slice(2, 4, 1),)).tolist() == [2, 3]


class Guarded(Source):
    """A source that may only be read while a lock is held."""

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
def test_given_lock_is_held_with_and_without_a_cache(tmp_path, own):
    lock = threading.Lock()  # not reentrant
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
    """A user's object whose reads fail."""

    shape, dtype = (8,), np.dtype("i8")

    def __getitem__(self, box):
        raise OSError("the disk is on fire")


class WithRepr(TileLoader):
    """A user's object with a given repr, which counts the calls of it."""

    def __init__(self, text):
        self.text = text
        self.calls = 0

    def __repr__(self):
        self.calls += 1
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


@pytest.mark.parametrize(
    ("obj", "name"),
    [
        (TileLoader(), "TileLoader object"),
        (WithRepr("Tiles of z=9"), "Tiles of z=9"),
        (WithRepr("Tiles\nof z=9"), "Tiles"),
        (WithRepr("x" * 80), "x" * 80),
        (WithRepr("x" * 81), "x" * 77 + "..."),
        (WithRepr(""), "WithRepr object"),
        (WithRepr(None), "WithRepr object"),
        (WithRepr(ValueError("no words")), "WithRepr object"),
    ],
)
def test_error_names_an_object_by_its_repr(obj, name):
    array = biggus.ArrayAdapter(obj)[2:6]
    _ = array.shape, array.dtype
    assert getattr(obj, "calls", 0) == 0
    with pytest.raises(biggus.SourceError) as caught:
        array.ndarray()
    assert str(caught.value) == f"cannot read {name} [2:6]: the disk is on fire"
