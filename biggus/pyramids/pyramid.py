"""The pyramid: an image at several resolutions."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.array import Array
from biggus.labels import labels_of


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution of a pyramid.

    Attributes
    ----------
    array : Array
        Its values, with the axes of the finest level.
    factors : tuple of float
        For each axis, how many elements of the finest level one element covers:
        element ``i`` covers those from ``i * factor`` to ``(i + 1) * factor``.
    """

    array: Array
    factors: tuple[float, ...]


class Pyramid:
    """An image at several resolutions; a picture reads the coarsest one that fills the screen.

    Parameters
    ----------
    levels : sequence of (Array, factors)
        The levels, from the finest, whose factors are all 1, to the coarsest.
    axes : tuple of int, optional
        The axes of the rows and the columns of the picture.
    attribution : str, optional
        The text to show beside the picture.

    Raises
    ------
    ValueError
        If the levels are not of one image: they differ in axes, or the finest is not first.
    TypeError
        If a level is not an Array.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> fine = biggus.ArrayAdapter(np.arange(16.0).reshape(4, 4))
    >>> coarse = biggus.ArrayAdapter(np.array([[2.5, 4.5], [10.5, 12.5]]))
    >>> pyramid = Pyramid([(fine, (1, 1)), (coarse, (2, 2))])
    >>> pyramid
    <biggus.Pyramid shape=(4, 4) dtype=float64 levels=2>
    >>> pyramid.level_for(3, 3).array[0].ndarray()
    array([2.5, 4.5])
    """

    def __init__(
        self,
        levels: Sequence[tuple[Array, Sequence[float]]],
        axes: tuple[int, int] = (0, 1),
        attribution: str | None = None,
    ) -> None:
        if not levels:
            raise ValueError("a pyramid has at least one level")
        self.levels = tuple(Level(array, tuple(map(float, factors))) for array, factors in levels)
        finest = self.levels[0]
        for level in self.levels:
            _check(level, finest)
        rows, columns = (operator.index(axis) for axis in axes)
        ndim = finest.array.ndim
        if not (-ndim <= rows < ndim and -ndim <= columns < ndim) or (rows - columns) % ndim == 0:
            raise ValueError(f"`axes=` names two of the {ndim} axes, not {axes!r}")
        self.axes = (rows % ndim, columns % ndim)
        self.attribution = attribution

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the finest level."""
        return self.levels[0].array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the finest level."""
        return self.levels[0].array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.levels[0].array.ndim

    @property
    def masked(self) -> bool:
        """Whether values of any level can be missing."""
        return any(level.array.masked for level in self.levels)

    def level_for(self, rows: float, columns: float) -> Level:
        """Return the coarsest level that fills a screen.

        Parameters
        ----------
        rows, columns : float
            How many elements of the finest level a pixel of the screen covers.

        Returns
        -------
        Level
            The coarsest level whose elements are no larger than a pixel; else the finest.
        """
        row, column = self.axes
        fitting = (
            level
            for level in reversed(self.levels)
            if level.factors[row] <= rows and level.factors[column] <= columns
        )
        return next(fitting, self.levels[0])

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, number: int) -> Array:
        """Return the array of a level; 0 is the finest."""
        return self.levels[number].array

    def __iter__(self) -> Iterator[Array]:
        return (level.array for level in self.levels)

    def __repr__(self) -> str:
        return (
            f"<biggus.{type(self).__name__} shape={self.shape} dtype={self.dtype} "
            f"levels={len(self.levels)}>"
        )


def _check(level: Level, finest: Level) -> None:
    array, factors = level.array, level.factors
    if not isinstance(array, Array):
        raise TypeError(f"a level is an Array, not {type(array).__name__}")
    if array.ndim != finest.array.ndim or len(factors) != array.ndim:
        raise ValueError("all levels of a pyramid have the same axes, and a factor for each")
    if not all(np.isfinite(factor) and factor >= 1 for factor in factors):
        raise ValueError(f"an element covers one element of the finest level or more: {factors}")
    if level is finest and any(factor != 1 for factor in factors):
        raise ValueError("the first level is the finest: its factors are 1")
    pairs = zip(array.shape, finest.array.shape, factors, strict=True)
    if not all(abs(n - whole / factor) < 1 for n, whole, factor in pairs):
        raise ValueError(
            f"a level of shape {array.shape} with factors {factors} does not cover "
            f"{finest.array.shape}"
        )


def attribution_of(array: Array) -> str | None:
    """Return the attribution of an array, from its attributes."""
    attribution = labels_of(array.node).attributes.get("attribution")
    return attribution if isinstance(attribution, str) and attribution else None
