"""The grid of a field: the coordinates of the rows and columns of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from biggus.labels import Coordinate, Labels

MOST_PIXELS = 2048
"""The most rows or columns of a field; larger arrays are averaged."""

_FLATTEST = 0.12
"""The smallest ratio of height to width, or of width to height, of maps drawn to scale."""

_NARROWEST = 0.2
"""The least cosine of the latitude by which maps are stretched, near the poles."""

_OFF = 0.05
"""The fraction of a step by which coordinates may deviate from an even grid."""


@dataclass(frozen=True, eq=False)
class FieldGrid:
    """The grid of a field.

    Attributes
    ----------
    x, y : ndarray
        The coordinates: each of one axis, or both of shape (rows, columns).
    x_axis, y_axis : Coordinate or None
        The coordinates they come from; None if they are element numbers.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    x_axis: Coordinate | None
    y_axis: Coordinate | None

    @property
    def curved(self) -> bool:
        """Whether the coordinates are two-dimensional."""
        return self.x.ndim == 2

    @property
    def geographic(self) -> bool:
        """Whether the coordinates are longitude and latitude."""
        kinds = [each.kind if each is not None else None for each in (self.x_axis, self.y_axis)]
        return kinds == ["longitude", "latitude"]

    @property
    def stretch(self) -> float | None:
        """The length of a degree of latitude on a map, in degrees of longitude.

        None for maps that are so narrow or so flat that nothing would be seen to scale.
        """
        middle = float(np.clip(np.nanmean(self.y), -90, 90))
        stretch = 1 / max(_NARROWEST, float(np.cos(np.radians(middle))))
        height, width = (float(np.ptp(each)) or 1.0 for each in (self.y, self.x))
        return stretch if _FLATTEST < stretch * height / width < 1 / _FLATTEST else None

    @property
    def even(self) -> bool:
        """Whether the coordinates are evenly spaced along both axes."""
        return not self.curved and _even(self.x) and _even(self.y)

    def extent(self) -> tuple[float, float, float, float]:
        """Return left, right, bottom and top of an even grid with the first row at the top."""
        left, right = outer_edges(self.x)
        top, bottom = outer_edges(self.y)
        return left, right, bottom, top


def _even(values: npt.NDArray[Any]) -> bool:
    if values.dtype.kind not in "iuf" or len(values) < 2:
        return values.dtype.kind in "iuf"
    # Steps are not compared: those of fine grids differ by rounding, and of Gaussian latitudes.
    line = np.linspace(float(values[0]), float(values[-1]), len(values))
    step = abs(line[1] - line[0])
    return bool(step > 0 and np.abs(values - line).max() <= _OFF * step)


def outer_edges(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the outer edges of the first and the last cell of a coordinate.

    Examples
    --------
    >>> outer_edges(np.array([1.0, 3.0, 5.0]))
    (0.0, 6.0)
    """
    half = float(values[-1] - values[0]) / (len(values) - 1) / 2 if len(values) > 1 else 0.5
    return float(values[0]) - half, float(values[-1]) + half


def grid_of(
    meaning: Labels, shape: tuple[int, int], factors: tuple[int, int] = (1, 1)
) -> FieldGrid:
    """Return the grid of a field, from its coordinates if it has any, else by element number.

    Axis 0 of the array has the rows, axis 1 the columns.  `factors` are the numbers of rows and
    columns of the array that each row and column of the field, of shape `shape`, covers.
    """
    x, y = (meaning.curved((0, 1), kind) for kind in ("longitude", "latitude"))
    if x is not None and y is not None and meaning.along(1) is None:
        middles = [
            slice(min(factor // 2, (n - 1) % factor), None, factor)
            for factor, n in zip(factors, x.node.shape, strict=True)
        ]
        curved = [each.values()[tuple(middles)] for each in (x, y)]
        if all(np.isfinite(each).all() for each in curved):
            return FieldGrid(curved[0], curved[1], x, y)
    axes_of_grid: list[tuple[npt.NDArray[Any], Coordinate | None]] = []
    for axis in (1, 0):
        length, factor = shape[axis], factors[axis]
        coordinate = meaning.along(axis)
        values = None if coordinate is None else np.asarray(coordinate.values())
        if values is None or values.dtype.kind not in "iufM" or not _ordered(values):
            coordinate, values = None, np.arange(length * factor)
        axes_of_grid.append((_thinned(values, factor, length), coordinate))
    (across, x), (down, y) = axes_of_grid
    return FieldGrid(across, down, x, y)


def _ordered(values: npt.NDArray[Any]) -> bool:
    """Tell whether values strictly increase or decrease."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return False
    up = values[1:] > values[:-1]
    return bool(up.all() or not (up | (values[1:] == values[:-1])).any())


def _thinned(values: npt.NDArray[Any], factor: int, length: int) -> npt.NDArray[Any]:
    """Return the middle of each run of `factor` values."""
    if factor == 1:
        return values
    starts = np.arange(length) * factor
    last = np.minimum(starts + factor, len(values)) - 1
    middles: npt.NDArray[Any]
    if values.dtype.kind == "M":
        middles = values[(starts + last) // 2]
    else:
        middles = (values[starts].astype(np.float64) + values[last]) / 2
    return middles
