"""Redrawing a figure when something has come, from the thread of its window.

A timer of the canvas looks for what has come, as long as anything is to come: the toolkit calls
it in the thread that draws.  A canvas without an event loop has timers that never go off; who
draws on one waits.

What comes waits a little for more, to be drawn at once with it: a drawing takes longer than
most answers do, and keeps the threads that read from their work.
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
"""How often to look."""

TOGETHER_SECONDS = 0.06
"""How long what has come waits for more to be drawn with."""


class Incomplete(Protocol):
    """What is drawn before all of it is there."""

    def arrived(self) -> bool:
        """Take what has come; tell whether there is anything to be drawn."""

    @property
    def waiting(self) -> bool:
        """Whether more is to come."""


class Redrawing:
    """Has the canvas of an artist redrawn as its parts come.

    Parameters
    ----------
    artist : Incomplete
        It is not kept alive.
    """

    def __init__(self, artist: Incomplete) -> None:
        self._artist = weakref.ref(artist)
        self._warned = False
        self._canvas: weakref.ref[FigureCanvasBase] | None = None
        self._timer: TimerBase | None = None
        self._running = False
        self._undrawn_since: float | None = None

    def __reduce__(self) -> tuple[type[Redrawing], tuple[Incomplete | None]]:
        # A copy of an artist begins anew: timers and canvases are of this process.
        return Redrawing, (self._artist(),)

    def begin(self, canvas: FigureCanvasBase) -> bool:
        """Look from now on for what comes; to be called by the thread that draws.

        Returns
        -------
        bool
            Whether what is drawn now will be drawn again as more comes; if not, it is to
            be complete: the figure is being saved, or the canvas has no event loop.
        """
        if canvas.is_saving():
            return False
        self._undrawn_since = None
        if self._canvas is None or self._canvas() is not canvas:
            self.stop()
            self._canvas = weakref.ref(canvas)
            self._timer = _timer(canvas)
        return self._timer is not None and (self._running or self._start(self._timer))

    def warn(self, what: str, errors: Sequence[Exception]) -> None:
        """Warn, once, of what is seen of parts that could not be read."""
        if errors and not self._warned:
            self._warned = True
            warnings.warn(
                f"parts of {what}: {errors[0]} (the errors of the last view are in .errors; "
                "what failed is asked for again in the next)",
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
        """Look no more."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.callbacks.clear()
        self._timer = self._canvas = None
        self._running = False

    def look(self) -> bool:
        """Redraw if something has come and no more is waited for; tell whether to look again."""
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
