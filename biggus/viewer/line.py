"""`ArrayLine`: an artist of matplotlib that reads the part of a series that it draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from biggus.viewer.redrawing import Redrawing
from biggus.viewer.series import Series, extent_of


class ArrayLine(Line2D):
    """A line through a series, which reads only the part on the screen.

    It is made by :func:`biggus.plot`.  If there are few values, the line joins them; if there
    are many, it joins the least and the greatest value of each few.

    Attributes
    ----------
    errors : list of Exception
        The errors of parts of the last view, which are gaps.
    sampled : str or None
        The fraction of the series that was read for the last view, as text; None if all.
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
        """The errors of parts of the last view, which are gaps."""
        return self._series.errors

    @property
    def sampled(self) -> str | None:
        """The fraction of the series that was read for the last view, as text; None if all."""
        return self._series.sampled

    def draw(self, renderer: Any) -> None:
        """Draw the view, and start to read the parts that are missing."""
        if self.get_visible():
            self.load()
        super().draw(renderer)

    def load(self) -> None:
        """Update the line for the view, and start to read the parts that are missing."""
        axes = self.axes
        assert axes is not None
        canvas = axes.figure.figure.canvas
        complete = self._block or not self._redrawing.begin(canvas)
        start, stop = self._seen(axes)
        self._series.ask(start, stop, axes.bbox.width, alone=canvas.is_saving())
        self._series.wait(complete=complete)
        self._follow()

    def arrived(self) -> bool:
        """Collect what has been read; tell whether to redraw."""
        arrived = self._series.collect()
        if arrived:
            self._follow()
        return self.fit() or arrived

    @property
    def waiting(self) -> bool:
        """Whether anything is still being read."""
        return self._series.tiles.waiting

    def fit(self) -> bool:
        """Fit the axes to the values, until the first view is complete; tell if they change."""
        y = extent_of(self.get_ydata(orig=False))
        if self._complete or y is None or self.axes is None:
            return False
        before = self.axes.viewLim.frozen()
        self.axes.update_datalim([(self._extent[0], y[0]), (self._extent[1], y[1])])
        self.axes.autoscale_view()
        self._complete = not self.waiting
        return bool((self.axes.viewLim.get_points() != before.get_points()).any())

    def close(self, event: Any = None) -> None:  # noqa: ARG002 - matplotlib's callbacks have one
        """Stop reading, and drop what has been read."""
        self._redrawing.stop()
        self._series.tiles.clear()

    def remove(self) -> None:
        """Remove the line from the axes."""
        self.close()
        super().remove()

    def _seen(self, axes: Any) -> tuple[int, int]:
        """Return the start and the stop of the values that are drawn."""
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
