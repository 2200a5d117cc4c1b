"""`Varying`: arrays that are joined although their scalar coordinates differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from biggus.graph import BaseStep
from biggus.labels.coordinate import spread

if TYPE_CHECKING:
    import numpy as np

    from biggus.labels.labels import Labels
    from biggus.sources.base import Values


class Varying(BaseStep):
    """Keeps values, and makes scalar coordinates vary along an axis.

    Parameters
    ----------
    dtype : dtype
        The dtype of the values.
    names : frozenset of str
        The names of the coordinates.
    axis : int
        The axis, along which the members are joined.
    """

    key = "varying()"

    def __init__(self, dtype: np.dtype[np.generic], names: frozenset[str], axis: int) -> None:
        self.dtype = dtype
        self.names = names
        self.axis = axis

    def __call__(self, values: Values) -> Values:
        """Return the values unchanged."""
        return values

    def of(self, labels: Labels, shape: tuple[int, ...]) -> Labels:
        """Return the labels of the values, from labels with scalar coordinates."""
        coordinates = [
            each
            if each.axes or each.name not in self.names
            else spread(each, self.axis, shape[self.axis])
            for each in labels.coordinates
        ]
        return replace(labels, coordinates=tuple(coordinates))
