"""What becomes of missing values where there is no mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.array import filling
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import Onward
from biggus.sinks.new import strings
from biggus.sinks.unseen import same

if TYPE_CHECKING:
    from biggus.engine import Writer
    from biggus.graph import Node
    from biggus.sinks.new import NewArray
    from biggus.sources.base import Box, Values

_NUMBERS = frozenset("biufc")


@dataclass(eq=False)
class MaskFiller:
    """Makes plain arrays of blocks in which values may be missing."""

    marker: Any = None
    """What stands for missing values.  If not given, they become NaN or NaT."""

    problem: str | None = None
    """What to say where a value is missing and has no place."""

    into: np.dtype[Any] | None = None
    """What the values will be cast to, if it is known: it may have a place for what is missing
    where they have none."""

    def __call__(self, values: Values) -> npt.NDArray[Any]:
        """Return the values, with the marker where one is missing.

        Raises
        ------
        MaskedValueError
            If a value is missing and there is nothing to put in its place.
        OutputError
            If a value that is not missing is equal to the marker: it would be lost.
        """
        data = np.ma.getdata(values)
        mask = np.ma.getmask(values)
        if self.into is not None and self.into.kind in _NUMBERS and data.dtype.kind in _NUMBERS:
            data = data.astype(self.into, copy=False)
        if self.marker is not None:
            self._check(data, mask)
        if not np.any(mask):
            return data
        marker = self.marker
        if marker is None:
            try:
                marker = filling.value(None, data.dtype)
            except MaskedValueError:
                if self.problem is None:
                    raise
                raise MaskedValueError(self.problem) from None
        filled = data.copy()
        filled[mask] = marker
        return filled

    def _check(self, data: npt.NDArray[Any], mask: Any) -> None:
        if data.dtype.kind not in "Mm" and np.any(same(data, self.marker) & ~mask):
            raise OutputError(
                f"the value {self.marker} is to mean a missing one, but is there as a value; "
                "give a target with another fill value"
            )


class FillingWriter(Onward):
    """A writer into a new array that cannot be told what stands for missing values.

    They become what the caller says, or NaN or NaT.

    Parameters
    ----------
    writer : Writer
        What takes the values.
    new : NewArray
        What is made.
    """

    def __init__(self, writer: Writer, new: NewArray) -> None:
        super().__init__(writer)
        self._new = new
        self._filler = MaskFiller(problem=new.problem)

    def write(self, box: Box, values: Values) -> None:
        """Take a block.

        Raises
        ------
        MaskedValueError
            If a value is missing and there is nothing to put in its place.
        """
        if self._new.fill is not None and isinstance(values, np.ma.MaskedArray):
            values = values.filled(self._new.fill)
        if not self._new.nan and np.ma.is_masked(values):
            raise MaskedValueError(self._new.problem or "a value is missing")
        plain = self._filler(values)
        textual = plain.dtype.kind in "UOT" and self._new.dtype.kind == "O"
        stored = strings(plain) if textual else plain.astype(self._new.dtype, copy=False)
        self._writer.write(box, stored)


def marker_for(node: Node, dtype: np.dtype[Any], packed: bool) -> Any:
    """Return what may stand for missing values of a node that are stored in `dtype`.

    Parameters
    ----------
    node : Node
        Whose fill value it is if that is a value of the dtype.
    dtype : dtype
        Of integers, floating-point or complex numbers, or times.
    packed : bool
        Whether that fill value is one of packed values, and no better than any other.
    """
    dtype = dtype.newbyteorder("=")
    own = None if packed else node.fill_value
    if own is not None and np.asarray(own).dtype.kind not in "SUO":
        with np.errstate(all="ignore"):
            cast = np.asarray(own).astype(dtype)
        if cast.ndim == 0 and np.array_equal(cast, np.asarray(own), equal_nan=True):
            return cast[()]
    if dtype.kind == "i":
        return dtype.type(np.iinfo(dtype).min)
    if dtype.kind == "u":
        return dtype.type(np.iinfo(dtype).max)
    if dtype.kind in "fc":
        with np.errstate(all="ignore"):
            usual = dtype.type(np.ma.default_fill_value(dtype))
        return usual if np.isfinite(usual) else dtype.type(np.finfo(dtype).min)
    return np.array("NaT", dtype)[()]
