"""A canvas whose event loop is driven by a test, and mouse events."""

import time
import weakref
from inspect import signature

from figures import new_axes
from matplotlib.backend_bases import MouseEvent, NavigationToolbar2, TimerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


class Timer(TimerBase):
    running = False

    def _timer_start(self):
        self.running = True

    def _timer_stop(self):
        self.running = False


class Window(FigureCanvasAgg):
    """A canvas whose timers fire when a test calls `turn`, and that counts its drawings."""

    def __init__(self, figure):
        super().__init__(figure)
        self.timers = weakref.WeakSet()
        self.drawn = 0

    def new_timer(self, interval=None, callbacks=None):
        timer = Timer(interval, callbacks)
        self.timers.add(timer)
        return timer

    def draw(self):
        self.drawn += 1
        super().draw()

    def turn(self):
        """Fire the running timers once."""
        for timer in list(self.timers):
            if timer.running:
                timer._on_timer()

    def settle(self, seconds=60):
        """Turn until no timer runs."""
        until = time.monotonic() + seconds
        while any(timer.running for timer in self.timers):
            assert time.monotonic() < until, "something is never complete"
            self.turn()
            time.sleep(0.005)

    def draw_all(self):
        """Draw, and turn until nothing is pending."""
        self.draw()
        self.settle()


def window(**options):
    """Return axes that fill a window."""
    ax = new_axes(**options)
    ax.set_position([0, 0, 1, 1])
    Window(ax.figure)
    return ax


class Toolbar(NavigationToolbar2):
    """The toolbar without its buttons."""

    def set_message(self, s):
        self.message = s

    def draw_rubberband(self, event, x0, y0, x1, y1):
        pass


def mouse(canvas, name, x, y, button=None, **more):
    if name == "motion_notify_event" and "buttons" in signature(MouseEvent).parameters:
        more["buttons"] = [] if button is None else [button]
    event = MouseEvent(name, canvas, x, y, button, **more)
    canvas.callbacks.process(name, event)


def drag(canvas, start, stop, steps=3):
    """Press the first button, move and release it."""
    mouse(canvas, "button_press_event", *start, button=1)
    for step in range(1, steps + 1):
        x, y = (a + (b - a) * step / steps for a, b in zip(start, stop, strict=True))
        mouse(canvas, "motion_notify_event", x, y, button=1)
    mouse(canvas, "button_release_event", *stop, button=1)
