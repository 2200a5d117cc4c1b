"""Sources for arrays in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.sources import studying
from biggus.sources.base import Box, Source, Values


class MemorySource(Source):
    """The source of an ndarray, a memmap or a MaskedArray.

    Reads return views, so later changes of the array show.

    Parameters
    ----------
    array : ndarray or MaskedArray
        The array.  Other subclasses, such as ``np.matrix``, are read as plain arrays.
    """

    io_bound = False
    in_memory = True
    name = "ndarray"

    def __init__(self, array: npt.NDArray[Any]) -> None:
        if isinstance(array, np.ma.MaskedArray):
            if array.dtype.names is not None:
                raise TypeError(
                    "a structured MaskedArray has one mask a field, which biggus does not keep; "
                    "pass its fields one by one"
                )
            self.array: Values = array
            self.masked = True
            # None if it is NumPy's default, which changes with the dtype.
            own = getattr(array, "_fill_value", None)
            self.fill_value = None if own is None else array.fill_value
            self.name = "MaskedArray"
        else:
            self.array = np.asarray(array)
        self.shape = self.array.shape
        self.dtype = self.array.dtype

    def cached_read(self, box: Box) -> Values | None:
        """Return a view of the values in `box`."""
        return self[box]

    def __getitem__(self, box: Box) -> Values:
        if not box:
            return self.array
        values: Values = self.array[box]
        return values


class Remade(MemorySource):
    """Values in memory that were computed by another source, which can compute them again.

    A study reads that source again unless it recorded how the values were computed.  Pickled,
    this is a plain `MemorySource`.

    Parameters
    ----------
    array : ndarray or MaskedArray
        The values.
    source : Source
        The source that computed them.
    """

    derived = True

    def __init__(self, array: npt.NDArray[Any], source: Source) -> None:
        super().__init__(array)
        self.source = source
        self.study = studying.current()

    def __reduce__(self) -> tuple[Any, ...]:
        return MemorySource, (self.array,)
