"""Single flight: concurrent calls for one key, or for several, run once."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from biggus.support import single_flight
from biggus.support.single_flight import Reader, SingleFlight


def test_overlapping_sets_of_keys_are_made_once():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()
    made = []

    def slow(places):
        begun.set()
        assert go.wait(120)
        made.append(list(places))
        return [f"first {place}" for place in places]

    def quick(places):
        made.append(list(places))
        return [f"second {place}" for place in places]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do_many, ["a", "b", "c"], slow)
        assert begun.wait(120)
        second = pool.submit(flights.do_many, ["d", "b", "e"], quick)
        while len(made) < 1:  # it makes its own keys before it waits
            pass
        go.set()
        assert first.result() == [("first 0", False), ("first 1", True), ("first 2", False)]
        assert second.result() == [("second 0", False), ("first 1", True), ("second 2", False)]
    assert made == [[0, 2], [0, 1, 2]]


def test_threads_that_wait_for_each_other_all_finish():
    """Many threads ask for overlapping keys in random orders."""
    flights = SingleFlight()
    lock, making = threading.Lock(), set()

    def call(seed):
        keys = list(range(8))
        random.Random(seed).shuffle(keys)
        keys = keys[:4]

        def make(places):
            wanted = {keys[place] for place in places}
            with lock:
                assert not making & wanted
                making.update(wanted)
            time.sleep(0.001)
            with lock:
                making.difference_update(wanted)
            return [keys[place] for place in places]

        assert [value for value, _ in flights.do_many(keys, make)] == keys

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(call, seed) for seed in range(200)]:
            future.result(30)
    assert flights._flights == {}


def test_failure_of_several_keys_is_not_shared():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()

    def fails(places):
        begun.set()
        assert go.wait(120)
        raise OSError("one of them is bad")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do_many, ["good", "bad"], fails)
        assert begun.wait(120)
        second = pool.submit(flights.do, "good", lambda: "made again")
        while not flights._flights["good"].shared:
            time.sleep(0.001)
        go.set()
        with pytest.raises(OSError, match="bad"):
            first.result()
        assert second.result() == ("made again", False)


def test_failure_of_one_key_is_shared_by_all_waiters():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()

    def fails():
        begun.set()
        assert go.wait(120)
        raise OSError("bad")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do, "key", fails)
        assert begun.wait(120)
        second = pool.submit(flights.do, "key", lambda: pytest.fail("not called"))
        while not flights._flights["key"].shared:
            pass
        go.set()
        for future in (first, second):
            with pytest.raises(OSError, match="bad"):
                future.result()


def test_nested_call_for_the_same_key():
    flights = SingleFlight()
    assert flights.do("a", lambda: flights.do("a", lambda: 1)) == ((1, False), False)


def test_interrupt_leaves_no_flight():
    flights = SingleFlight()

    def interrupted(places):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flights.do_many(["a", "b"], interrupted)
    assert flights._flights == {}
    assert flights.do("a", lambda: 1) == (1, False)


def start_call(flights, end):
    """Start a call in a thread; return its reader, an event that ends it, and its future."""
    reader = Reader()
    begun, go = threading.Event(), threading.Event()

    def make():
        begun.set()
        assert go.wait(120)
        return end()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(reader.context().run, flights.do, "key", make)
    assert begun.wait(120)
    pool.shutdown(wait=False)
    return reader, go, future


def failing():
    raise OSError("of the one that was abandoned")


@pytest.mark.parametrize("within", [False, True])
def test_waiter_of_an_abandoned_call_runs_it_again(monkeypatch, within):
    monkeypatch.setattr("biggus.support.single_flight._LOOK_SECONDS", 0.001)
    flights = SingleFlight()
    outer = Reader()
    reader, go, future = outer.context().run(start_call, flights, failing)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(flights.do, "key", lambda: "made again") for _ in range(2)]
        while not flights._flights["key"].shared:
            time.sleep(0.001)
        (outer if within else reader).abandon()
        assert [one.result(120)[0] for one in waiting] == ["made again"] * 2
    go.set()
    with pytest.raises(OSError, match="abandoned"):
        future.result(120)
    assert flights._flights == {}


def test_abandoned_call_is_not_joined():
    flights = SingleFlight()
    reader, go, future = start_call(flights, failing)
    reader.abandon()
    assert flights.do("key", lambda: "made again") == ("made again", False)
    go.set()
    with pytest.raises(OSError, match="abandoned"):
        future.result(120)
    assert flights._flights == {}


def test_result_of_an_abandoned_call_is_shared(monkeypatch):
    monkeypatch.setattr("biggus.support.single_flight._LOOK_SECONDS", 120)
    flights = SingleFlight()
    reader, go, future = start_call(flights, lambda: "made")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(flights.do, "key", lambda: pytest.fail("not called"))
        while not flights._flights["key"].shared:
            time.sleep(0.001)
        reader.abandon()
        go.set()
        assert waiting.result(120) == ("made", True)
    assert future.result(120)[0] == "made"


def test_waiter_of_a_call_interrupted_at_any_moment_makes_its_own(interrupted_everywhere):
    flights = SingleFlight()

    def check():
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(flights.do, "a", lambda: 2).result(60) == (2, False)

    def make():
        waiter = waiters.submit(flights.do, "a", lambda: 3)
        while not flights._flights["a"].shared and not waiter.done():
            pass
        return waiter

    def lead():
        waiter, _ = flights.do("a", make)
        made.append(waiter)

    made = []
    with ThreadPoolExecutor(64) as waiters:
        interrupted_everywhere(lead, single_flight.__file__, check)
    assert made[-1].result(60)[0] in (made[-1], 3)
