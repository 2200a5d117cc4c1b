"""Sources for arrays of dask and TensorStore."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from biggus.sources.base import Box, Source, Values
from biggus.sources.wrappers import ObjectSource


def library_of(kind: type) -> str:
    """Return the name of the package that defines a type."""
    return kind.__module__.partition(".")[0]


def foreign_source(obj: Any) -> Source | None:
    """Return the source of a dask array or a TensorStore; None for any other object."""
    library = library_of(type(obj))
    if library == "dask" and hasattr(obj, "compute"):
        return DaskSource(obj)
    if library == "tensorstore" and hasattr(obj, "translate_to"):
        # The domain of a sliced TensorStore begins at the start of the slice, not at zero.
        return ObjectSource(obj.translate_to[0])
    return None


class DaskSource(ObjectSource):
    """The source of a dask array; a read computes the chunks that it touches.

    Parameters
    ----------
    obj : dask.array.Array
        An array of known shape.
    """

    io_bound = False  # dask has threads of its own

    def __init__(self, obj: Any) -> None:
        if any(map(math.isnan, obj.shape)):
            raise TypeError("a dask array of unknown shape: call its compute_chunk_sizes() first")
        like = obj._meta  # noqa: SLF001 - the only way to the type of its chunks
        masked = isinstance(like, np.ma.MaskedArray) or getattr(like, "masked", False)
        super().__init__(obj, obj.chunks if obj.size else None, masked=masked)

    def __getitem__(self, box: Box) -> Values:
        computed = self.obj[box].compute()
        if hasattr(computed, "masked_array"):  # its chunks are arrays of biggus
            computed = computed.masked_array() if self.masked else computed.ndarray()
        return self._array(box, computed)
