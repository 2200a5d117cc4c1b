"""Conversion between the screen and the rows and columns of an image.

An image has a shape, and an extent (left, right, bottom, top) in the coordinates of its axes.  Row
0 is at the top, or at the bottom if its origin is ``"lower"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.viewer.layer_choice import ScreenView

if TYPE_CHECKING:
    from matplotlib.transforms import Bbox, Transform

    from biggus.viewer.layers import Layer, LayerSpan

_POINTS = 9
"""The number of points along a side that are transformed, if the transform is curved."""


class Placement(NamedTuple):
    """The position of an image on the screen.

    Attributes
    ----------
    shape : tuple of int
        The number of rows and columns.
    extent : tuple of float
        Left, right, bottom and top.
    origin : str
        ``"upper"`` or ``"lower"``.
    transform : Transform
        The transform from the coordinates of the extent to pixels.
    """

    shape: tuple[int, int]
    extent: tuple[float, float, float, float]
    origin: str
    transform: Transform

    def elements(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the rows and columns, with fractions, of positions in the coordinates."""
        left, right, first, last = self._edges
        rows, columns = self.shape
        return (y - first) / (last - first) * rows, (x - left) / (right - left) * columns

    def extent_of(self, layer: Layer, span: LayerSpan) -> tuple[float, float, float, float]:
        """Return the extent of a span of a layer."""
        left, right, first, last = self._edges
        (top, bottom), (start, stop) = span
        down = layer.factors[0] / self.shape[0] * (last - first)
        across = layer.factors[1] / self.shape[1] * (right - left)
        ys = first + top * down, first + bottom * down
        low, high = ys if self.origin == "lower" else ys[::-1]
        return left + start * across, left + stop * across, low, high

    def view(self, screen: Bbox, magnification: float) -> ScreenView | None:
        """Return the view of the image in a part of the screen, or None if it is empty."""
        x, y = self._under(screen)
        rows, columns = self.elements(x, y)
        if not (np.isfinite(rows).all() and np.isfinite(columns).all()):
            rows, columns = np.array([0, self.shape[0]]), np.array([0, self.shape[1]])
        window = (
            max(float(rows.min()), 0.0),
            min(float(rows.max()), float(self.shape[0])),
            max(float(columns.min()), 0.0),
            min(float(columns.max()), float(self.shape[1])),
        )
        if window[0] >= window[1] or window[2] >= window[3]:
            return None
        down, across = self._pixels(window)
        return ScreenView(window, (1 / (down * magnification), 1 / (across * magnification)))

    @property
    def _edges(self) -> tuple[float, float, float, float]:
        left, right, bottom, top = self.extent
        first, last = (bottom, top) if self.origin == "lower" else (top, bottom)
        return left, right, first, last

    def _under(self, screen: Bbox) -> tuple[Any, Any]:
        """Return the coordinates of points spread over a part of the screen."""
        count = 2 if self.transform.is_affine else _POINTS
        x, y = np.meshgrid(
            np.linspace(screen.x0, screen.x1, count), np.linspace(screen.y0, screen.y1, count)
        )
        with np.errstate(all="ignore"):
            points = self.transform.inverted().transform(np.column_stack([x.ravel(), y.ravel()]))
        return points[:, 0], points[:, 1]

    def _pixels(self, window: tuple[float, float, float, float]) -> tuple[float, float]:
        """Return the average height of a row and width of a column in a window, in pixels."""
        left, right, first, last = self._edges
        top, bottom, start, stop = window
        count = 2 if self.transform.is_affine else _POINTS
        along = np.linspace(0, 1, count)
        middle = np.full(count, 0.5)
        sizes = []
        for down, across in ((along, middle), (middle, along)):
            rows = top + (bottom - top) * down
            columns = start + (stop - start) * across
            x = left + columns * (right - left) / self.shape[1]
            y = first + rows * (last - first) / self.shape[0]
            with np.errstate(all="ignore"):
                points = self.transform.transform(np.column_stack([x, y]))
            lengths = np.hypot(*np.diff(points, axis=0).T)
            sizes.append(float(lengths[np.isfinite(lengths)].sum()))
        height, width = sizes
        return height / (bottom - top) or 1.0, width / (stop - start) or 1.0
