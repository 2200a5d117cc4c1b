"""``GeoTransform``: the origin and the steps of a grid, which GDAL prefers to its coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

NAME = "GeoTransform"


def for_part(whole: Any, y: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> str | None:
    """Return the ``GeoTransform`` of a part of a grid.

    GDAL prefers this attribute to the coordinates.  It turns a grid around whose ``y`` increase, so
    that the sign of the step along ``y`` stays that of the whole grid.

    Parameters
    ----------
    whole : object
        The attribute of the whole grid: six numbers in a text.
    y, x : ndarray
        The centres of the cells of the part.

    Returns
    -------
    str or None
        The attribute of the part; None if its cells are not of one size.

    Examples
    --------
    >>> for_part("0 10 0 40 0 -10", np.array([15.0, 5.0]), np.array([25.0, 35.0]))
    '20.0 10.0 0.0 20.0 0.0 -10.0'
    """
    try:
        _, dx, _, _, _, dy = map(float, str(whole).split())
    except ValueError:
        return None
    if not x.size or not y.size:
        return None
    if (y[-1] - y[0]) * dy < 0:
        y = y[::-1]
    numbers = []
    for centres, of_whole in ((x, dx), (y, dy)):
        several = centres.size > 1
        step = float(centres[-1] - centres[0]) / (centres.size - 1) if several else of_whole
        if not np.allclose(np.diff(centres), step, rtol=1e-3):
            return None
        numbers += [float(centres[0]) - step / 2, step, 0.0]
    numbers[4:] = [0.0, numbers[4]]
    return " ".join(map(str, numbers))
