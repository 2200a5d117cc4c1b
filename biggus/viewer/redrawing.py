"""Redrawing a figure when parts of it have been read, in the thread of its window.

A timer of the canvas checks for new parts while any are being read; the toolkit calls it in the
thread that draws.  On a canvas without an event loop timers never fire, so drawing waits for all
parts instead.

New parts wait a little for others, to be drawn together: drawing takes longer than most reads, and
slows down the threads that read.
"""

from __future__ import annotations

import warnings
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.backend_bases import FigureCanvasBase, TimerBase

MILLISECONDS = 30
"""The interval between checks."""

TOGETHER_SECONDS = 0.06
"""How long new parts wait for others."""


class Incomplete(Protocol):
    """An artist that is drawn before all of its parts have been read."""

    def arrived(self) -> bool:
        """Collect what has been read; tell whether to redraw."""

    @property
    def waiting(self) -> bool:
        """Whether parts are still being read."""


class Redrawing:
    """Redraws the canvas of an artist as its parts are read.

    Parameters
    ----------
    artist : Incomplete
        The artist, which is referenced weakly.
    """

    def __init__(self, artist: Incomplete) -> None:
        self._artist = weakref.ref(artist)
        self._warned = False
        self._canvas: weakref.ref[FigureCanvasBase] | None = None
        self._timer: TimerBase | None = None
        self._running = False
        self._undrawn_since: float | None = None

    def __reduce__(self) -> tuple[type[Redrawing], tuple[Incomplete | None]]:
        # A copy of an artist has no timer and no canvas.
        return Redrawing, (self._artist(),)

    def begin(self, canvas: FigureCanvasBase) -> bool:
        """Start to check for new parts; it is called by the thread that draws.

        Returns
        -------
        bool
            Whether the figure will be redrawn as parts are read.  If not, the drawing has to
            be complete, for the figure is being saved, or the canvas has no event loop.
        """
        if canvas.is_saving():
            return False
        self._undrawn_since = None
        if self._canvas is None or self._canvas() is not canvas:
            self.stop()
            self._canvas = weakref.ref(canvas)
            self._timer = _timer(canvas)
        return self._timer is not None and (self._running or self._start(self._timer))

    def warn(self, subject: str, errors: Sequence[Exception]) -> None:
        """Warn once about parts that could not be read."""
        if errors and not self._warned:
            self._warned = True
            warnings.warn(
                f"parts of {subject}: {errors[0]} (all errors of the last view are in .errors; "
                "the next view reads these parts again)",
                stacklevel=3,
            )

    def _start(self, timer: TimerBase) -> bool:
        timer.add_callback(_look, weakref.ref(self))
        try:
            timer.start()
        except RuntimeError:  # the event loop does not run
            timer.callbacks.clear()
            return False
        self._running = True
        return True

    def stop(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.callbacks.clear()
        self._timer = self._canvas = None
        self._running = False

    def look(self) -> bool:
        """Redraw if parts have been read and no others are awaited; tell whether to check again."""
        artist = self._artist()
        canvas = self._canvas() if self._canvas is not None else None
        if artist is None or canvas is None:
            self._running = False
            return False
        if artist.arrived() and self._undrawn_since is None:
            self._undrawn_since = monotonic()
        since = self._undrawn_since
        if since is not None and not (artist.waiting and monotonic() - since < TOGETHER_SECONDS):
            self._undrawn_since = None
            canvas.draw_idle()
        self._running = artist.waiting or self._undrawn_since is not None
        return self._running


def _look(redrawing: weakref.ref[Redrawing]) -> bool:
    here = redrawing()
    return here is not None and here.look()


def _timer(canvas: FigureCanvasBase) -> TimerBase | None:
    from matplotlib.backend_bases import TimerBase

    timer: Any = canvas.new_timer(interval=MILLISECONDS)
    return None if type(timer) is TimerBase else timer
