"""Cached chunks are used as long as their validators are valid, online and offline."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.errors import OfflineError
from biggus.options import set_options


def test_changed_validator_is_a_miss(cache, counting, box, caplog):
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


def test_chunks_without_a_validator_are_not_stored(cache, counting, box, entries):
    source = counting(np.arange(4), (4,), now=None)
    cached = cache.wrap(source)
    for _ in range(3):
        assert cached[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert len(source.fetched) == 3
    assert entries(cache) == []


def test_chunks_that_change_during_the_read_are_not_stored(cache, counting, box, entries):
    source = counting(np.arange(4), (4,))

    class Changing(counting):
        def __getitem__(self, requested):
            values = super().__getitem__(requested)
            self.now += b"!"
            return values

    source = Changing(np.arange(4), (4,))
    assert cache.wrap(source)[box((0, 4))].tolist() == [0, 1, 2, 3]
    assert entries(cache) == []


def test_renewed_validator_is_stored(cache, counting, box):
    class Expiring(counting):
        now = b"1"

        def revalidate(self, requested, held):
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


def test_fetch_returns_the_validator_of_several_chunks(cache, counting, box):
    source = counting(np.arange(8), (4,))
    cached = cache.wrap(source)
    for _ in range(2):
        values, validator = cached.fetch(box((2, 6)))
        assert values.tolist() == [2, 3, 4, 5]
        assert validator == b"one"


def test_offline_reads_stored_chunks_without_requests(cache, counting, box):
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


def test_offline_failure_does_not_fail_an_online_read(cache, counting, box, monkeypatch):
    cached = cache.wrap(counting(np.arange(8), (4,), remote=True))
    refusing, done = threading.Event(), threading.Event()
    miss, seen = cache.miss, []

    def wait_in_miss():  # during the read of a chunk that must not be requested
        miss()
        refusing.set()
        assert done.wait(30)

    def read_offline():
        with set_options(offline=True), pytest.raises(OfflineError):
            cached[box((0, 4))]
        return True

    monkeypatch.setattr(cache, "miss", wait_in_miss)
    with ThreadPoolExecutor(1) as threads:
        offline = threads.submit(read_offline)
        assert refusing.wait(30)
        monkeypatch.setattr(cache, "miss", miss)
        try:
            online = threading.Thread(target=lambda: seen.append(cached[box((0, 4))].tolist()))
            online.start()
            online.join(5)  # otherwise it waits for the offline read and gets its error
        finally:
            done.set()
        online.join()
        assert offline.result()
    assert seen == [[0, 1, 2, 3]]


def test_local_sources_are_read_offline(cache, counting, box):
    cached = cache.wrap(counting(np.arange(8), (4,)))
    with set_options(offline=True):
        assert cached[box((0, 8))].tolist() == list(range(8))


class ChunkValidators:
    """Mixin for `counting`: each chunk has its own validator, and the source has no state."""

    validators = (b"a", b"b", b"a", b"b")
    length = 4

    def state(self):
        return None

    def validator(self, requested):
        (s,) = requested
        assert s.start % self.length == 0, "the box is not a chunk"
        assert s.stop == s.start + self.length, "the box is not a chunk"
        return self.validators[s.start // self.length]


def test_validator_of_a_box_is_that_of_its_chunks(cache, counting, box):
    class Source(ChunkValidators, counting):
        pass

    source = Source(np.arange(16), (4,))
    cached = cache.wrap(source)
    assert cached.validator(box((1, 3))) == b"a"
    assert cached.fetch(box((5, 6)))[1] == b"b"
    assert cached.fetch(box((1, 3)))[1] == b"a"
    for requested in (box((1, 6)), box((2, 16)), box((5, 7)), (slice(0, 16, 5),)):
        values, validator = cached.fetch(requested)
        assert values.tolist() == source.values[requested].tolist()
        assert validator == cached.validator(requested)
        assert cached.revalidate(requested, validator) == validator
        assert cached.revalidate(requested, b"unknown") is None
        assert cached.revalidate(requested, b"biggus chunks\0") is None
        assert not cached.revalidation_waits(requested, validator)
    (held,) = {cached.validator(box((1, 6))), cached.validator(box((9, 13)))}
    # A change of another chunk does not matter.
    source.validators = (b"a", b"c", b"a", b"b")
    assert cached.revalidate(box((1, 6)), held) is None
    assert cached.revalidate(box((9, 13)), held) == held
    assert cached.revalidate(box((1, 16)), held) is None
    source.validators = (b"a", None, b"a", b"b")
    assert cached.validator(box((1, 6))) is None
    assert cached.fetch(box((1, 6)))[1] is None
    assert cached.fetch(box((9, 13)))[1] == held


def test_nested_caches_of_other_grids_see_changes(tmp_path, counting, box):
    class Source(ChunkValidators, counting):
        pass

    source = Source(np.arange(16), (4,))
    near, far = Cache(tmp_path / "near"), Cache(tmp_path / "far")
    nested = near.wrap(far.wrap(source), chunks=(8,))
    # Both chunks of the near cache have the same validator, made of two validators each.
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


def test_stale_chunks_are_revalidated_once(cache, counting, box):
    class Slow(ChunkValidators, counting):
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


def test_offline_validator_is_that_of_the_stored_chunks(cache, counting, box):
    class Unaskable(counting):
        def validator(self, requested):
            raise AssertionError("the source was called")

        def state(self):
            return None

    source = Unaskable(np.arange(16), (4,), remote=True)
    source.fetch = lambda requested: (source.values[requested], b"%d" % requested[0].start)
    cached = cache.wrap(source)
    validator = cached.fetch(box((1, 7)))[1]
    with set_options(offline=True):
        assert cached.validator(box((1, 7))) == validator
        assert cached.revalidate(box((1, 7)), validator) == validator
        assert cached.validator(box((1, 9))) is None
        assert cached.fetch(box((1, 7)))[1] == validator
