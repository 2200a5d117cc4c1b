"""What is read through a cache: the right values, from the source once, and never old ones."""

import gc
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.cache import Cache, Cached
from biggus.errors import CacheError, OfflineError, SourceError
from biggus.options import set_options
from biggus.sources.base import read, whole
from biggus.sources.wrappers import ObjectSource


@st.composite
def readings(draw):
    shape = draw(st.lists(st.integers(1, 7), min_size=0, max_size=3))
    chunks = tuple(draw(st.integers(1, n + 1)) for n in shape)
    boxes = []
    for _ in range(4):
        bounds = []
        for n in shape:
            start = draw(st.integers(0, n - 1))
            bounds.append(slice(start, draw(st.integers(start + 1, n)), draw(st.integers(1, 3))))
        boxes.append(tuple(bounds))
    return tuple(shape), chunks, draw(st.booleans()), boxes


@given(readings())
def test_any_boxes_over_any_chunks(tmp_path_factory, counting, reading):
    shape, chunks, masked, boxes = reading
    values = np.arange(int(np.prod(shape)), dtype=">i4").reshape(shape)
    if masked:
        values = np.ma.MaskedArray(values, mask=values % 3 == 1, fill_value=-1)
    source = counting(values, chunks, fill_value=-1 if masked else None)
    cache = Cache(tmp_path_factory.mktemp("cache"))
    for cached in (cache.wrap(source), cache.wrap(source)):
        for box in boxes:
            got, expected = read(cached, box), values[box] if shape else values
            assert got.shape == np.shape(expected)
            assert got.dtype == values.dtype
            np.testing.assert_array_equal(np.ma.getdata(got), np.ma.getdata(expected))
            np.testing.assert_array_equal(
                np.ma.getmaskarray(got), np.ma.getmaskarray(np.ma.asarray(expected))
            )
    assert len(source.fetched) == len(set(map(repr, source.fetched)))
    del cache


def test_whole_chunks_are_read_and_once(cache, counting, box):
    source = counting(np.arange(100).reshape(10, 10), (4, 5))
    cached = cache.wrap(source)
    assert cached[box((5, 6), (3, 4))].tolist() == [[53]]
    assert source.fetched == [box((4, 8), (0, 5))]
    assert cached[box((4, 8), (0, 5))].tolist() == source.values[4:8, :5].tolist()
    assert len(source.fetched) == 1
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries) == (1, 1, 1)


def test_values_belong_to_the_reader(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    assert cached.owns_data
    for _ in range(3):
        for asked in (box((0, 4)), box((1, 3)), box((2, 6))):
            values = cached[asked]
            values[...] = -1
    assert source.values.tolist() == list(range(8))
    assert cached[box((0, 8))].tolist() == list(range(8))


def test_chunks_are_the_given_else_the_sources_else_about_4_mib(cache, counting):
    values = np.zeros((3, 2048, 1024), np.uint8)
    assert cache.wrap(counting(values, (1, 5, 7)), (2, (48, 2000), 3)).chunks == (2, (48, 2000), 3)
    assert cache.wrap(counting(values, (1, 5, 7))).chunks == (1, 5, 7)
    assert cache.wrap(counting(values)).chunks == (2, 2048, 1024)


def test_a_source_without_a_token_is_refused(cache):
    with pytest.raises(CacheError, match="token="):
        cache.wrap(np.zeros(3))
    with pytest.raises(CacheError, match="token="):
        cache.wrap(ObjectSource(np.zeros(3)))


def test_keys_follow_token_dtype_shape_and_chunk(cache, counting, box):
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


def test_another_validator_is_a_miss(cache, counting, box, caplog):
    source = counting(np.arange(4), (4,))
    cached = cache.wrap(source)
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    source.values, source.now = np.arange(4) * 10, b"two"
    with caplog.at_level(logging.INFO, "biggus.cache"):
        assert cached[box((0, 4))].tolist() == [0, 10, 20, 30]
    assert "stale" in caplog.text
    assert cached[box((0, 4))].tolist() == [0, 10, 20, 30]
    assert len(source.fetched) == 2
    assert cache.stats().entries == 1


def test_an_unknown_validator_is_never_kept(cache, counting, box, entries):
    source = counting(np.arange(4), (4,), now=None)
    cached = cache.wrap(source)
    for _ in range(3):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert len(source.fetched) == 3
    assert entries(cache) == []


def test_a_source_that_changes_while_it_is_read_is_not_kept(cache, counting, box, entries):
    source = counting(np.arange(4), (4,))

    class Changing(counting):
        def __getitem__(self, asked):
            values = super().__getitem__(asked)
            self.now += b"!"
            return values

    source = Changing(np.arange(4), (4,))
    assert cache.wrap(source)[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert entries(cache) == []


def test_a_renewed_validator_is_written_down(cache, counting, box):
    class Expiring(counting):
        now = b"1"

        def revalidate(self, asked, held):
            self.revalidated.append(held)
            return b"%d" % (int(held) + 1)

    source = Expiring(np.arange(4), (4,))
    source.now = b"1"
    cached = cache.wrap(source)
    for expected in (b"1", b"2", b"3", b"4"):
        values, validator = cached.fetch(box((0, 4)))
        assert values.tolist() == [0, 1, 2, 3]
        assert validator == expected
    assert source.revalidated == [b"1", b"2", b"3"]
    assert len(source.fetched) == 1


def test_fetch_tells_the_validator_of_boxes_over_chunks(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    for _ in range(2):
        values, validator = cached.fetch(box((2, 6)))
        assert values.tolist() == [2, 3, 4, 5]
        assert validator == b"one"


def test_failures_propagate_and_store_nothing(cache, counting, box, entries):
    source = counting(np.arange(4), (4,), failure=OSError("disk on fire"))
    cached = cache.wrap(source)
    for _ in range(2):
        with pytest.raises(SourceError, match="disk on fire"):
            cached[box((0, 4))]
    assert entries(cache) == []
    source.failure = None
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]


def test_objects_are_passed_through(cache, counting, box, entries):
    values = np.array(["one", "twotwo", None], object)
    source = counting(values, (2,))
    cached = cache.wrap(source)
    for _ in range(2):
        assert cached[box((0, 3))].tolist() == ["one", "twotwo", None]
    assert len(source.fetched) == 4
    assert entries(cache) == []
    assert not cached.cached(box((0, 1)))


def test_dtypes_with_notes_are_kept(cache, counting, box):
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


def test_presence_is_told_without_asking_the_source(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    assert source not in cache
    cached[box((0, 4))]
    asked = len(source.revalidated)
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
    assert (len(source.fetched), len(source.revalidated)) == (2, asked)


def test_what_is_in_the_cache_is_at_hand(cache, counting, box, entries):
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


def test_offline_takes_what_there_is_and_asks_nothing(cache, counting, box):
    source = counting(np.arange(8), (4,), remote=True)
    cached = cache.wrap(source)
    cached[box((0, 4))]
    source.now = b"two"
    before = len(source.fetched), len(source.revalidated)
    with set_options(offline=True):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
        with pytest.raises(OfflineError, match=r"counting|source") as caught:
            cached[box((0, 8))]
        assert "\n" not in str(caught.value)
    assert (len(source.fetched), len(source.revalidated)) == before
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert len(source.fetched) == before[0] + 1


def test_who_is_offline_fails_nobody_who_is_not(cache, counting, box, monkeypatch):
    cached = cache.wrap(counting(np.arange(8), (4,), remote=True))
    refusing, done = threading.Event(), threading.Event()
    miss, seen = cache.miss, []

    def stay():  # under way with a chunk that must not be asked for
        miss()
        refusing.set()
        assert done.wait(30)

    def read_offline():
        with set_options(offline=True), pytest.raises(OfflineError):
            cached[box((0, 4))]
        return True

    monkeypatch.setattr(cache, "miss", stay)
    with ThreadPoolExecutor(1) as threads:
        offline = threads.submit(read_offline)
        assert refusing.wait(30)
        monkeypatch.setattr(cache, "miss", miss)
        try:
            online = threading.Thread(target=lambda: seen.append(cached[box((0, 4))].tolist()))
            online.start()
            online.join(5)  # else it waits for the other, whose error it gets
        finally:
            done.set()
        online.join()
        assert offline.result()
    assert seen == [[0, 1, 2, 3]]


def test_offline_is_of_no_concern_to_local_sources(cache, counting, box):
    cached = cache.wrap(counting(np.arange(8), (4,)))
    with set_options(offline=True):
        assert cached[box((0, 8))].tolist() == list(range(8))


def test_a_lock_is_held_for_the_source_alone(cache, counting, box):
    lock = threading.Lock()

    class Locked(counting):
        def __getitem__(self, asked):
            assert lock.locked()
            return super().__getitem__(asked)

    cached = cache.wrap(Locked(np.arange(8), (4,), lock=lock))
    assert cached.lock is None
    assert read(cached, box((0, 8))).tolist() == list(range(8))
    with lock:
        assert read(cached, box((0, 8))).tolist() == list(range(8))


def test_threads_fetch_one_chunk_once(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(16) as pool:
        reads = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(16)]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        results = [r.result(30) for r in reads]
    assert len(source.fetched) == 1
    for number, values in enumerate(results):
        assert values.tolist() == [0, 1, 2, 3]
        values[...] = number  # nobody else's
    assert [int(values[0]) for values in results] == list(range(16))


def test_chunks_do_not_wait_for_one_another(cache, counting, box):
    source = counting(np.arange(8), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(cached.__getitem__, box(b)) for b in ((0, 4), (4, 8))]
        # Both are in the source at once, though neither has come back.
        assert source.reading.acquire(timeout=120)
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        assert [r.result(30)[0] for r in reads] == [0, 4]


def test_two_caches_of_one_folder_fetch_once(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event())
    both = [cache.wrap(source), Cache(cache.path).wrap(source)]
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(c.__getitem__, box((0, 4))) for c in both]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        assert [r.result(30).tolist() for r in reads] == [[0, 1, 2, 3]] * 2
    assert len(source.fetched) == 1


def test_all_who_wait_get_the_error(cache, counting, box):
    source = counting(np.arange(4), (4,), gate=threading.Event(), failure=OSError("gone"))
    cached = cache.wrap(source)
    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(8)]
        assert source.reading.acquire(timeout=120)
        source.gate.set()
        for r in reads:
            with pytest.raises(SourceError, match="gone"):
                r.result(30)
    source.failure = None
    assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]


def test_if_one_is_interrupted_another_takes_over(cache, counting, box):
    class Interrupted(counting):
        def __getitem__(self, asked):
            values = super().__getitem__(asked)
            if len(self.fetched) == 1:
                raise KeyboardInterrupt
            return values

    source = Interrupted(np.arange(4), (4,), gate=threading.Event())
    cached = cache.wrap(source)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cached.__getitem__, box((0, 4)))
        assert source.reading.acquire(timeout=120)
        others = [pool.submit(cached.__getitem__, box((0, 4))) for _ in range(3)]
        source.gate.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(30)
        assert [r.result(30).tolist() for r in others] == [[0, 1, 2, 3]] * 3
    assert len(source.fetched) == 2


def test_a_read_that_was_given_up_fails_no_other(cache, counting, box):
    begun, over = threading.Event(), threading.Event()

    class Failing(counting):
        def __getitem__(self, asked):
            values = super().__getitem__(asked)
            if asked[0].start == 0:
                assert begun.wait(120)
                raise OSError("this ends the evaluation")
            if not begun.is_set():
                begun.set()
                assert over.wait(120)
                raise OSError("nobody waits for this any longer")
            return values

    source = Failing(np.arange(8.0), (4,), io_bound=True)
    array = biggus.ArrayAdapter(source, cache=cache)
    with pytest.raises(SourceError, match="this ends"):
        array.ndarray()
    assert array[4:].ndarray().tolist() == [4.0, 5.0, 6.0, 7.0]
    over.set()
    assert len(source.fetched) == 3


def test_a_source_may_read_itself_through_its_cache(cache, counting, box):
    class Recursive(counting):
        def __getitem__(self, asked):
            if not self.fetched:
                self.fetched.append(asked)
                return cached[asked] + 1
            return super().__getitem__(asked)

    cached = cache.wrap(Recursive(np.arange(4), (4,)))
    assert cached[box((0, 4))].tolist() == [1, 2, 3, 4]


def test_caches_can_be_nested(tmp_path, counting, box):
    source = counting(np.arange(10), (5,))
    near, far = Cache(tmp_path / "near"), Cache(tmp_path / "far")
    nested = near.wrap(far.wrap(source))
    assert nested[box((0, 10))].tolist() == list(range(10))
    near.clear()
    assert nested[box((0, 10))].tolist() == list(range(10))
    assert len(source.fetched) == 2


class EachItsOwn:
    """What makes a counting source one whose chunks have validators of their own, and no state."""

    validators = (b"a", b"b", b"a", b"b")
    length = 4

    def state(self):
        return None

    def validator(self, asked):
        (s,) = asked
        assert s.start % self.length == 0, "the source was asked for what is no chunk"
        assert s.stop == s.start + self.length, "the source was asked for what is no chunk"
        return self.validators[s.start // self.length]


def test_validators_are_those_of_whole_chunks(cache, counting, box):
    class Source(EachItsOwn, counting):
        pass

    source = Source(np.arange(16), (4,))
    cached = cache.wrap(source)
    assert cached.validator(box((1, 3))) == b"a"
    assert cached.fetch(box((5, 6)))[1] == b"b"
    assert cached.fetch(box((1, 3)))[1] == b"a"
    for asked in (box((1, 6)), box((2, 16)), box((5, 7)), (slice(0, 16, 5),)):
        values, validator = cached.fetch(asked)
        assert values.tolist() == source.values[asked].tolist()
        assert validator == cached.validator(asked)
        assert cached.revalidate(asked, validator) == validator
        assert cached.revalidate(asked, b"never told") is None
        assert cached.revalidate(asked, b"biggus chunks\0") is None
        assert not cached.revalidation_waits(asked, validator)
    (held,) = {cached.validator(box((1, 6))), cached.validator(box((9, 13)))}
    # What changes in another chunk is of no concern.
    source.validators = (b"a", b"c", b"a", b"b")
    assert cached.revalidate(box((1, 6)), held) is None
    assert cached.revalidate(box((9, 13)), held) == held
    assert cached.revalidate(box((1, 16)), held) is None
    source.validators = (b"a", None, b"a", b"b")
    assert cached.validator(box((1, 6))) is None
    assert cached.fetch(box((1, 6)))[1] is None
    assert cached.fetch(box((9, 13)))[1] == held


def test_nested_caches_of_other_grids_see_changes(tmp_path, counting, box):
    class Source(EachItsOwn, counting):
        pass

    source = Source(np.arange(16), (4,))
    near, far = Cache(tmp_path / "near"), Cache(tmp_path / "far")
    nested = near.wrap(far.wrap(source), chunks=(8,))
    # Both chunks of the near one have the same validator, made of two each.
    held = nested.fetch(box((0, 16)))[1]
    assert nested.revalidate(box((0, 16)), held) == held
    for changed in ((b"a", b"a", b"b", b"b"), (b"a", b"b", b"a", b"c")):
        source.validators = changed
        assert nested.revalidate(box((0, 16)), held) is None
    source.fetched.clear()
    source.values = -source.values
    source.validators = (b"a", b"b", b"c", b"b")
    assert nested[box((0, 16))].tolist() == [*range(8), -8, -9, -10, -11, *range(12, 16)]
    assert source.fetched == [box((8, 12))]


def test_a_copy_that_a_server_must_renew_is_waited_for_and_asked_for_once(cache, counting, box):
    class Slow(EachItsOwn, counting):
        pass

    source = Slow(np.arange(16), (4,), remote=True)
    cached = cache.wrap(source)
    cached[box((0, 16))]
    source.revalidated.clear()
    assert cached.revalidation_waits(box((1, 2)), b"a")
    assert cached.cached_read(box((1, 3))) is None
    assert source.revalidated == []
    assert cached[box((1, 6))].tolist() == [1, 2, 3, 4, 5]
    assert source.revalidated == [box((0, 4)), box((4, 8))]
    with set_options(offline=True):
        assert cached.cached_read(box((1, 3))).tolist() == [1, 2]
        assert not cached.revalidation_waits(box((1, 2)), b"a")


def test_offline_validators_are_those_of_what_is_held(cache, counting, box):
    class Asked(counting):
        def validator(self, asked):
            raise AssertionError("the source was asked")

        def state(self):
            return None

    source = Asked(np.arange(16), (4,), remote=True)
    source.fetch = lambda asked: (source.values[asked], b"%d" % asked[0].start)
    cached = cache.wrap(source)
    validator = cached.fetch(box((1, 7)))[1]
    with set_options(offline=True):
        assert cached.validator(box((1, 7))) == validator
        assert cached.revalidate(box((1, 7)), validator) == validator
        assert cached.validator(box((1, 9))) is None
        assert cached.fetch(box((1, 7)))[1] == validator


def test_it_says_what_the_source_says(cache, counting):
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


def test_it_pickles_by_source_and_folder(cache, box):
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


def test_errors_are_of_biggus():
    assert issubclass(CacheError, biggus.errors.BiggusError)


def test_who_is_read_is_asked_for_no_name_where_nothing_is_logged(cache, box, caplog):
    asked = []

    class Named:
        shape, dtype = (4,), np.dtype("i8")

        def __getitem__(self, where):
            return np.arange(4)[where]

        def __repr__(self):
            asked.append(True)
            return "named"

    caplog.set_level(logging.WARNING, "biggus.cache")
    cached = cache.wrap(ObjectSource(Named(), chunks=(2,), token="named"))
    for _ in range(2):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert not asked
    assert cached.name == "named"
    assert asked
