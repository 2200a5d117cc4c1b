"""What comes is drawn: with what comes soon after it, and not much later."""

import pytest
from windows import window

from biggus.viewer import redrawing
from biggus.viewer.redrawing import TOGETHER_SECONDS, Redrawing


class Parts:
    """An artist of whose parts one comes each time that one looks, or none."""

    def __init__(self, *comes):
        self.comes = list(comes)

    def arrived(self):
        return self.comes.pop(0)

    @property
    def waiting(self):
        return bool(self.comes)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    seconds = [100.0]
    monkeypatch.setattr(redrawing, "monotonic", lambda: seconds[0])
    return seconds


def begun(parts):
    canvas = window().figure.canvas
    parts.redrawing = Redrawing(parts)  # which keeps none of them alive
    assert parts.redrawing.begin(canvas)
    return canvas


def test_what_comes_together_is_drawn_once(clock):
    parts = Parts(False, True, True, False, True)
    canvas = begun(parts)
    for drawn in (0, 0, 0, 0, 1):
        canvas.turn()
        assert canvas.drawn == drawn
    assert not any(timer.running for timer in canvas.timers)


def test_what_has_come_does_not_wait_long_for_the_rest(clock):
    parts = Parts(True, False, True, False, False, True)
    canvas = begun(parts)
    canvas.turn()
    clock[0] += TOGETHER_SECONDS
    canvas.turn()
    assert canvas.drawn == 1
    clock[0] += 10  # nothing came meanwhile
    canvas.turn()
    assert canvas.drawn == 1
    clock[0] += TOGETHER_SECONDS
    canvas.turn()
    assert canvas.drawn == 2
    canvas.turn()
    assert canvas.drawn == 2


def test_what_is_drawn_for_another_reason_is_not_drawn_again(clock):
    parts = Parts(True, False, False)
    canvas = begun(parts)
    canvas.turn()
    assert parts.redrawing.begin(canvas)  # as each drawing does
    clock[0] += 10
    canvas.turn()
    canvas.turn()
    assert canvas.drawn == 0
