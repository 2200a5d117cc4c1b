"""Cached chunks are used as long as their validators are valid, online and offline."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.errors import OfflineError
from biggus.options import set_options


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
