"""Arriving parts are drawn together with others that arrive soon after, without much delay."""

import pytest
from windows import window

from biggus.viewer import redrawing
from biggus.viewer.redrawing import TOGETHER_SECONDS, Redrawing


class Parts:
    """An artist whose `arrived` gives the next of the given answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def arrived(self):
        return self.answers.pop(0)

    @property
    def waiting(self):
        return bool(self.answers)


@pytest.fixture
def clock(monkeypatch):
    """Return a fake clock, as a list of its seconds."""
    seconds = [100.0]
    monkeypatch.setattr(redrawing, "monotonic", lambda: seconds[0])
    return seconds


def start(parts):
    canvas = window().figure.canvas
    parts.redrawing = Redrawing(parts)  # holds weak references only
    assert parts.redrawing.begin(canvas)
    return canvas


def test_parts_that_arrive_together_are_drawn_once(clock):
    parts = Parts(False, True, True, False, True)
    canvas = start(parts)
    for drawn in (0, 0, 0, 0, 1):
        canvas.turn()
        assert canvas.drawn == drawn
    assert not any(timer.running for timer in canvas.timers)


def test_arrived_parts_are_drawn_after_a_short_wait(clock):
    parts = Parts(True, False, True, False, False, True)
    canvas = start(parts)
    canvas.turn()
    clock[0] += TOGETHER_SECONDS
    canvas.turn()
    assert canvas.drawn == 1
    clock[0] += 10  # nothing arrived meanwhile
    canvas.turn()
    assert canvas.drawn == 1
    clock[0] += TOGETHER_SECONDS
    canvas.turn()
    assert canvas.drawn == 2
    canvas.turn()
    assert canvas.drawn == 2


def test_parts_drawn_for_another_reason_are_not_redrawn(clock):
    parts = Parts(True, False, False)
    canvas = start(parts)
    canvas.turn()
    assert parts.redrawing.begin(canvas)  # as each drawing does
    clock[0] += 10
    canvas.turn()
    canvas.turn()
    assert canvas.drawn == 0
