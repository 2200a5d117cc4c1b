"""Coordinates that are indexed with lazy positions, as by ``idxmax``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.core import indexing

from biggus.array import Array
from biggus.graph import Elementwise
from biggus.xarray.steps import Mapped

if TYPE_CHECKING:
    import numpy.typing as npt


class PickedLazily(indexing.ExplicitlyIndexedNDArrayMixin):
    """Values along one axis that can be indexed with a lazy array; the result is lazy.

    Parameters
    ----------
    array : ndarray
        The values.
    """

    __slots__ = ("array",)

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array

    def get_duck_array(self) -> Any:
        """Return the values."""
        return self.array

    def _vindex_get(self, indexer: Any) -> Any:
        (key,) = indexer.tuple
        if not isinstance(key, Array):
            return self.array[np.asarray(key)]
        step = Mapped(self.array.take, (None,), {}, self.array.dtype)
        return Array.from_node(Elementwise(step, key.node))

    _oindex_get = _vindex_get

    def __getitem__(self, indexer: indexing.ExplicitIndexer) -> Any:
        return self.array[indexer.tuple]
