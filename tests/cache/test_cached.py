"""Reads through a cache: values, chunks, keys, presence, and the attributes of the source."""

import gc
import logging
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biggus.cache import Cache, Cached
from biggus.errors import CacheError, SourceError
from biggus.options import set_options
from biggus.sources.base import read, whole
from biggus.sources.wrappers import ObjectSource
from biggus.testing.strategies import boxes


@st.composite
def random_reads(draw):
    shape = draw(st.lists(st.integers(1, 7), min_size=0, max_size=3))
    chunks = tuple(draw(st.integers(1, n + 1)) for n in shape)
    some = [draw(boxes(tuple(shape))) for _ in range(4)]
    return tuple(shape), chunks, draw(st.booleans()), some


@given(random_reads())
def test_random_boxes_and_chunks(tmp_path_factory, counting, reading):
    shape, chunks, masked, some = reading
    values = np.arange(int(np.prod(shape)), dtype=">i4").reshape(shape)
    if masked:
        values = np.ma.MaskedArray(values, mask=values % 3 == 1, fill_value=-1)
    source = counting(values, chunks, fill_value=-1 if masked else None)
    cache = Cache(tmp_path_factory.mktemp("cache"))
    for cached in (cache.wrap(source), cache.wrap(source)):
        for box in some:
            got, expected = read(cached, box), values[box] if shape else values
            assert got.shape == np.shape(expected)
            assert got.dtype == values.dtype
            np.testing.assert_array_equal(np.ma.getdata(got), np.ma.getdata(expected))
            np.testing.assert_array_equal(
                np.ma.getmaskarray(got), np.ma.getmaskarray(np.ma.asarray(expected))
            )
    assert len(source.fetched) == len(set(map(repr, source.fetched)))
    del cache


def test_whole_chunks_are_read_once(cache, counting, box):
    source = counting(np.arange(100).reshape(10, 10), (4, 5))
    cached = cache.wrap(source)
    assert cached[box((5, 6), (3, 4))].tolist() == [[53]]
    assert source.fetched == [box((4, 8), (0, 5))]
    assert cached[box((4, 8), (0, 5))].tolist() == source.values[4:8, :5].tolist()
    assert len(source.fetched) == 1
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries) == (1, 1, 1)


def test_changing_returned_values_changes_nothing_else(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    assert cached.owns_data
    for _ in range(3):
        for key in (box((0, 4)), box((1, 3)), box((2, 6))):
            values = cached[key]
            values[...] = -1
    assert source.values.tolist() == list(range(8))
    assert cached[box((0, 8))].tolist() == list(range(8))


def test_default_chunks_are_the_sources_or_about_4_mib(cache, counting):
    values = np.zeros((3, 2048, 1024), np.uint8)
    assert cache.wrap(counting(values, (1, 5, 7)), (2, (48, 2000), 3)).chunks == (2, (48, 2000), 3)
    assert cache.wrap(counting(values, (1, 5, 7))).chunks == (1, 5, 7)
    assert cache.wrap(counting(values)).chunks == (2, 2048, 1024)


def test_source_without_a_token_raises(cache):
    with pytest.raises(CacheError, match="token="):
        cache.wrap(np.zeros(3))
    with pytest.raises(CacheError, match="token="):
        cache.wrap(ObjectSource(np.zeros(3)))


def test_keys_differ_by_token_dtype_shape_and_chunk(cache, counting, box):
    keys = {
        cache.wrap(counting(np.zeros(shape, dtype), chunks, token)).key(chunk)
        for token in ("a", "b")
        for shape, dtype, chunks, chunk in [
            ((4, 4), "f4", (2, 4), box((0, 2), (0, 4))),
            ((4, 4), ">f4", (2, 4), box((0, 2), (0, 4))),
            ((4, 8), "f4", (2, 4), box((0, 2), (0, 4))),
            ((4, 4), "f4", (2, 2), box((0, 2), (0, 2))),
            ((4, 4), "f4", (2, 4), box((2, 4), (0, 4))),
        ]
    }
    assert len(keys) == 10
    assert all(len(key) == 40 for key in keys)


def test_failures_propagate_and_store_nothing(cache, counting, box, entries):
    source = counting(np.arange(4), (4,), failure=OSError("disk on fire"))
    cached = cache.wrap(source)
    for _ in range(2):
        with pytest.raises(SourceError, match="disk on fire"):
            cached[box((0, 4))]
    assert entries(cache) == []
    source.failure = None
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]


def test_object_arrays_are_not_cached(cache, counting, box, entries):
    values = np.array(["one", "twotwo", None], object)
    source = counting(values, (2,))
    cached = cache.wrap(source)
    for _ in range(2):
        assert cached[box((0, 3))].tolist() == ["one", "twotwo", None]
    assert len(source.fetched) == 4
    assert entries(cache) == []
    assert not cached.cached(box((0, 1)))


def test_dtype_metadata_is_kept(cache, counting, box):
    dtype = np.dtype("i1", metadata={"enum": {"a": 1}})
    source = counting(np.arange(4, dtype="i1").astype(dtype), (2,))
    cached = cache.wrap(source)
    for _ in range(2):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert len(source.fetched) == 2
    assert cached[box((0, 2))].dtype.metadata == {"enum": {"a": 1}}


def test_scalars_and_empty_axes(cache, counting):
    scalar = cache.wrap(counting(np.array(7.5), ()))
    for _ in range(2):
        got = scalar[()]
        assert type(got) is np.ndarray
        assert got.shape == ()
        assert got == 7.5
    empty = cache.wrap(counting(np.zeros((0, 3))))
    assert empty[whole((0, 3))].shape == (0, 3)


def test_presence_checks_do_not_ask_the_source(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    assert source not in cache
    cached[box((0, 4))]
    revalidations = len(source.revalidated)
    assert cached.cached(box((1, 3)))
    assert not cached.cached(box((1, 5)))
    assert (source, box((0, 4))) in cache
    assert (cached, box((0, 4))) in cache
    assert (source, box((4, 8))) not in cache
    assert source not in cache
    cached[box((4, 8))]
    assert source in cache
    assert cached in cache
    assert "nothing" not in cache
    assert (len(source.fetched), len(source.revalidated)) == (2, revalidations)


def test_cached_read_returns_stored_chunks_only(cache, counting, box, entries):
    source = counting(np.arange(8), (4,), remote=True)
    cached = cache.wrap(source)
    assert cached.cached_read(box((0, 4))) is None
    cached[box((0, 4))]
    assert cached.cached_read(box((0, 4))).tolist() == [0, 1, 2, 3]
    assert cached.cached_read(box((1, 3))).tolist() == [1, 2]
    for elsewhere in ((3, 5), (4, 8)):
        assert cached.cached_read(box(elsewhere)) is None
    source.now = b"two"
    assert cached.cached_read(box((1, 3))) is None
    with set_options(offline=True):
        assert cached.cached_read(box((1, 3))).tolist() == [1, 2]
    source.now = b"one"
    (path,) = entries(cache)
    for length in (0, 50, 61):
        path.write_bytes(path.read_bytes()[:length])
        assert cached.cached_read(box((1, 3))) is None
    assert len(source.fetched) == 1
    objects = cache.wrap(counting(np.array(["a"], object)))
    assert objects.cached_read(box((0, 1))) is None


def test_caches_can_be_nested(tmp_path, counting, box):
    source = counting(np.arange(10), (5,))
    near, far = Cache(tmp_path / "near"), Cache(tmp_path / "far")
    nested = near.wrap(far.wrap(source))
    assert nested[box((0, 10))].tolist() == list(range(10))
    near.clear()
    assert nested[box((0, 10))].tolist() == list(range(10))
    assert len(source.fetched) == 2


def test_attributes_are_those_of_the_source(cache, counting):
    source = counting(
        np.zeros((2, 3)), name="the name", attributes={"units": "K"}, dims=("y", "x"), remote=True,
        conventions="CF", fill_value=3.0, masked=True,
    )  # fmt: skip
    cached = cache.wrap(source)
    for name in ("shape", "dtype", "name", "attributes", "dims", "remote", "conventions", "token",
                 "fill_value", "masked"):  # fmt: skip
        assert getattr(cached, name) == getattr(source, name)
    assert cached.state() == b"one"
    assert cached.io_bound
    assert not cached.in_memory


def test_pickles_by_source_and_folder(cache, box):
    cached = cache.wrap(ObjectSource(np.arange(9), token="nine"), (4,))
    cached[box((0, 9))]
    again = pickle.loads(pickle.dumps(cached))
    assert isinstance(again, Cached)
    assert again.chunks == (4,)
    assert again.cache.path == cache.path
    assert again.cache.size_limit == cache.size_limit
    assert again.cached(box((0, 9)))
    assert again[box((3, 6))].tolist() == [3, 4, 5]
    del again
    gc.collect()


def test_hits_and_misses_are_logged(cache, counting, box, caplog):
    cached = cache.wrap(counting(np.arange(4), (4,), name="the name"))
    with caplog.at_level(logging.DEBUG, "biggus.cache"):
        cached[box((0, 4))]
        cached[box((0, 4))]
    missed, hit = (r.getMessage() for r in caplog.records if r.name == "biggus.cache")
    assert missed.startswith("miss the name [0:4] (absent): fetched 32 bytes in ")
    assert hit == "hit the name [0:4]: 32 bytes"


def test_source_name_is_not_computed_without_logging(cache, box, caplog):
    repr_calls = []

    class Named:
        shape, dtype = (4,), np.dtype("i8")

        def __getitem__(self, box):
            return np.arange(4)[box]

        def __repr__(self):
            repr_calls.append(True)
            return "named"

    caplog.set_level(logging.WARNING, "biggus.cache")
    cached = cache.wrap(ObjectSource(Named(), chunks=(2,), token="named"))
    for _ in range(2):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert not repr_calls
    assert cached.name == "named"
    assert repr_calls
