"""Single flight: of one key, and of several at once."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from biggus.flight import SingleFlight


def test_keys_are_made_together_and_each_once():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()
    made = []

    def slow(places):
        begun.set()
        assert go.wait(10)
        made.append(list(places))
        return [f"first {place}" for place in places]

    def quick(places):
        made.append(list(places))
        return [f"second {place}" for place in places]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do_many, ["a", "b", "c"], slow)
        assert begun.wait(10)
        second = pool.submit(flights.do_many, ["d", "b", "e"], quick)
        while len(made) < 1:  # its own are made before it waits
            pass
        go.set()
        assert first.result() == [("first 0", False), ("first 1", True), ("first 2", False)]
        assert second.result() == [("second 0", False), ("first 1", True), ("second 2", False)]
    assert made == [[0, 2], [0, 1, 2]]


def test_whoever_waits_for_whom():
    """Threads that want what others make, and the other way round, all get it."""
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


def test_a_failure_of_several_is_not_that_of_one():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()

    def fails(places):
        begun.set()
        assert go.wait(10)
        raise OSError("one of them is bad")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do_many, ["good", "bad"], fails)
        assert begun.wait(10)
        second = pool.submit(flights.do, "good", lambda: "made again")
        while not flights._flights["good"].shared:
            time.sleep(0.001)
        go.set()
        with pytest.raises(OSError, match="bad"):
            first.result()
        assert second.result() == ("made again", False)


def test_a_failure_of_one_is_that_of_all_who_wait():
    flights = SingleFlight()
    begun, go = threading.Event(), threading.Event()

    def fails():
        begun.set()
        assert go.wait(10)
        raise OSError("bad")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(flights.do, "key", fails)
        assert begun.wait(10)
        second = pool.submit(flights.do, "key", lambda: pytest.fail("not called"))
        while not flights._flights["key"].shared:
            pass
        go.set()
        for future in (first, second):
            with pytest.raises(OSError, match="bad"):
                future.result()


def test_within_itself():
    flights = SingleFlight()
    assert flights.do("a", lambda: flights.do("a", lambda: 1)) == ((1, False), False)


def test_an_interrupt_leaves_nothing_behind():
    flights = SingleFlight()

    def interrupted(places):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flights.do_many(["a", "b"], interrupted)
    assert flights._flights == {}
    assert flights.do("a", lambda: 1) == (1, False)
