"""Deadlines of evaluations."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.engine import running
from biggus.errors import BiggusError, DeadlineError, OptionError
from biggus.sources.base import Source
from biggus.support import deadlines
from biggus.support.single_flight import SingleFlight


class Part(Source):
    """Ten numbers; `during` is called by each read."""

    def __init__(self, during, io_bound=False):
        self.shape, self.dtype, self.chunks = (10,), np.dtype("i8"), (5,)
        self.name, self.token, self.io_bound = "a part", None, io_bound
        self.during = during

    def __getitem__(self, box):
        self.during()
        return np.arange(10)[box]


@pytest.fixture
def clock(monkeypatch):
    """Return a fake clock, used by deadlines alone."""
    now = [100.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(deadlines, "time", Clock)
    return now


class Slow:
    """An array of eight parts, each of which takes 25 seconds of the fake clock."""

    def __init__(self, clock):
        self.clock = clock
        self.reads = 0
        parts = [biggus.ArrayAdapter(Part(self.take)) for _ in range(8)]
        self.array = biggus.LinearMosaic(parts, 0)

    def take(self):
        self.reads += 1
        self.clock[0] += 25.0


WAYS = {
    "read": lambda array, _: array.ndarray(),
    "mean": lambda array, _: (array - 1).mean().ndarray(),
    "together": lambda array, _: biggus.ndarrays([array.max(), array + 1]),
    "save": lambda array, folder: biggus.save(array, folder / "a.npy", overwrite=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_read_starts_after_the_deadline(clock, tmp_path, way):
    slow = Slow(clock)
    with biggus.set_options(deadline=60, workers=1):
        with pytest.raises(
            DeadlineError, match=r"not done within 60 s, as `biggus.set_options\(deadline="
        ):
            WAYS[way](slow.array, tmp_path)
        assert slow.reads == 3
        assert not list(tmp_path.iterdir())
        # Each evaluation has its own 60 seconds.
        with pytest.raises(DeadlineError):
            WAYS[way](slow.array, tmp_path)
        assert slow.reads == 6


@pytest.mark.parametrize("way", WAYS)
def test_no_deadline_by_default(clock, tmp_path, way):
    slow = Slow(clock)
    WAYS[way](slow.array, tmp_path)
    assert slow.reads == 8
    with biggus.set_options(deadline=1000):
        WAYS[way](slow.array * 1, tmp_path)
    assert slow.reads == 16


def test_nested_deadlines_end_with_the_outer_one(clock):
    with biggus.set_options(deadline=60), deadlines.evaluation():
        with biggus.set_options(deadline=500), deadlines.evaluation():
            assert deadlines.left() == 60.0
        with biggus.set_options(deadline=20), deadlines.evaluation():
            assert deadlines.left() == 20.0
        with biggus.set_options(deadline=None), deadlines.evaluation():
            clock[0] += 59.0
            assert deadlines.left() == 1.0
    assert deadlines.left() is None
    deadlines.check()


def test_deadline_ends_a_hanging_read():
    never = threading.Event()
    array = biggus.ArrayAdapter(Part(lambda: never.wait(120), io_bound=True))
    try:
        with biggus.set_options(deadline=0.3), pytest.raises(DeadlineError):
            array.ndarray()
    finally:
        never.set()


def test_waiter_takes_over_when_the_first_call_times_out():
    flights, begun, joined = SingleFlight(), threading.Event(), threading.Event()

    def fail():
        begun.set()
        joined.wait(60)
        raise DeadlineError(1.0)

    def join():
        begun.wait(60)
        joined.set()
        return flights.do("key", lambda: 42)[0]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(flights.do, "key", fail), pool.submit(join)
        assert second.result() == 42
        assert isinstance(first.exception(), DeadlineError)


def test_waiter_times_out_at_its_own_deadline():
    flights, begun, end = SingleFlight(), threading.Event(), threading.Event()

    def slowly():
        begun.set()
        end.wait(120)
        return 1

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flights.do, "key", slowly)
        begun.wait(60)
        try:
            with (
                biggus.set_options(deadline=0.05),
                deadlines.evaluation(),
                pytest.raises(DeadlineError),
            ):
                flights.do("key", lambda: 2)
        finally:
            end.set()
        assert first.result() == (1, True)


def test_workers_get_the_remaining_time(clock):
    assert running._shipped_options()["deadline"] is None
    with biggus.set_options(deadline=60), deadlines.evaluation():
        clock[0] += 50.0
        assert running._shipped_options()["deadline"] == 10.0


@pytest.mark.parametrize("value", [0, -1, "soon", True, float("inf"), float("nan"), [5]])
def test_invalid_deadlines_raise(value):
    with pytest.raises(OptionError, match="deadline is a number of seconds"):
        biggus.set_options(deadline=value)


def test_deadline_error_pickles():
    error = pickle.loads(pickle.dumps(DeadlineError(2.5)))
    assert str(error).startswith("not done within 2.5 s")
    assert isinstance(error, BiggusError)
    assert isinstance(error, TimeoutError)
