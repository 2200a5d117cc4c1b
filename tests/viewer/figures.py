"""Figures and their pixels."""

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_axes(**options):
    """Return the axes of a new figure."""
    figure = Figure(**{"figsize": (4, 3), "dpi": 100, **options})
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def pixels(ax):
    """Draw a figure and return its pixels."""
    canvas = ax.figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def assert_same_pixels(ours, theirs):
    """Compare exactly where matplotlib draws a part of an image as it draws the whole.

    Before 3.11, matplotlib scaled values by the minimum and maximum of the part.
    """
    if mpl.__version_info__ >= (3, 11):
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert np.abs(ours.astype(int) - theirs).max() <= 2
