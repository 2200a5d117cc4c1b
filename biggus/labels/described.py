"""`Described`: values with labels of their own, such as those of a DataArray of xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.graph import BaseStep

if TYPE_CHECKING:
    import numpy as np

    from biggus.labels.labels import Labels
    from biggus.sources.base import Values


class Described(BaseStep):
    """Keeps values, and gives them labels.

    Parameters
    ----------
    dtype : dtype
        The dtype of the values.
    labels : Labels
        The labels.
    """

    key = "described()"

    def __init__(self, dtype: np.dtype[Any], labels: Labels) -> None:
        self.dtype = dtype
        self.labels = labels

    def __call__(self, values: Values) -> Values:
        """Return the values unchanged."""
        return values
