"""Figures, and what is drawn on them."""

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
