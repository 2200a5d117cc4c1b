"""The artist of a long series: a `Line2D` that reads what it draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from biggus.viewer.redrawing import Redrawing
from biggus.viewer.series import Series, extent_of


class ArrayLine(Line2D):
    """A line through a long series, of which what is on the screen is read.

    Made by :func:`biggus.plot`.  It goes through the values where there are few, and from the
    least to the greatest value of each few where there are many.

    Attributes
    ----------
    errors : list of Exception
        Why parts of the last view, which are gaps, could not be read.
    sampled : str or None
        What part of the series was looked at for the last view, if not all.
    """

    def __init__(
        self, series: Series, extent: tuple[float, float], *, block: bool, like: Line2D
    ) -> None:
        super().__init__([], [])
        self.update_from(like)
        self.set_label(like.get_label())
        self._series = series
        self._extent = extent
        self._block = block
        self._complete = False
        self._redrawing = Redrawing(self)

    @property
    def errors(self) -> list[Exception]:
        """Why parts of the last view could not be read."""
        return self._series.errors

    @property
    def sampled(self) -> str | None:
        """What part of the series was looked at for the last view, if not all."""
        return self._series.sampled

    def draw(self, renderer: Any) -> None:
        """Draw what is here of the view, and ask for the rest."""
        if self.get_visible():
            self.load()
        super().draw(renderer)

    def load(self) -> None:
        """Have the line go through what is here of the view, and ask for the rest."""
        axes = self.axes
        assert axes is not None
        canvas = axes.figure.figure.canvas
        complete = self._block or not self._redrawing.begin(canvas)
        start, stop = self._seen(axes)
        self._series.ask(start, stop, axes.bbox.width, alone=canvas.is_saving())
        self._series.wait(complete=complete)
        self._follow()

    def arrived(self) -> bool:
        """Take what has been read; tell whether there is anything to be drawn."""
        arrived = self._series.collect()
        if arrived:
            self._follow()
        return self.fit() or arrived

    @property
    def waiting(self) -> bool:
        """Whether anything is still being read."""
        return self._series.tiles.waiting

    def fit(self) -> bool:
        """Have the axes hold what is known, until all of the first view is; tell if they change."""
        y = extent_of(self.get_ydata(orig=False))
        if self._complete or y is None or self.axes is None:
            return False
        before = self.axes.viewLim.frozen()
        self.axes.update_datalim([(self._extent[0], y[0]), (self._extent[1], y[1])])
        self.axes.autoscale_view()
        self._complete = not self.waiting
        return bool((self.axes.viewLim.get_points() != before.get_points()).any())

    def close(self, event: Any = None) -> None:  # noqa: ARG002 - matplotlib's callbacks have one
        """Have nothing read any more, and forget what was."""
        self._redrawing.stop()
        self._series.tiles.clear()

    def remove(self) -> None:
        """Take it out of the axes."""
        self.close()
        super().remove()

    def _seen(self, axes: Any) -> tuple[int, int]:
        """Return the first value that is drawn and what follows the last."""
        length = self._series.array.shape[0]
        first, last = self._extent
        step = (last - first) / max(length - 1, 1)
        ends = [(x - first) / step for x in axes.get_xlim()] if step else [0.0, length]
        start = math.floor(min(max(min(*ends), 0.0), length - 1)) - 1
        stop = math.ceil(min(max(*ends, 0.0), length)) + 2
        return max(start, 0), min(stop, length)

    def _follow(self) -> None:
        positions, values = self._series.line()
        first, last = self._extent
        length = self._series.array.shape[0]
        if self._extent != (0, length - 1):
            positions = first + positions * ((last - first) / max(length - 1, 1))
        self.set_data(positions, np.asarray(values))
        self._redrawing.warn("the series are gaps", self.errors)
