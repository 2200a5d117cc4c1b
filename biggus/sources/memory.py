"""Values that are in memory already, as a source."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.sources import studying
from biggus.sources.base import Box, Source, Values


class MemorySource(Source):
    """An ndarray, a memmap or a MaskedArray as a source.

    Reads give views, and later changes of the array show.

    Parameters
    ----------
    array : ndarray or MaskedArray
        Subclasses other than MaskedArray (such as ``np.matrix``) count as plain
        arrays.
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
            # None if it is NumPy's default, which a cast does not keep.
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
    """Values in memory that were made of others, and can be made of them again.

    A study reads them anew, unless it has seen how they were made; a copy in another process is
    values in memory like any others.

    Parameters
    ----------
    array : ndarray or MaskedArray
        The values.
    source : Source
        What makes them.
    """

    derived = True

    def __init__(self, array: npt.NDArray[Any], source: Source) -> None:
        super().__init__(array)
        self.source = source
        self.study = studying.current()

    def __reduce__(self) -> tuple[Any, ...]:
        return MemorySource, (self.array,)
