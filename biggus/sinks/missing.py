"""Missing values in targets without masks: they become a marker, NaN or NaT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.array import filling
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import WriterWrapper
from biggus.sinks.new import NewArray, strings
from biggus.sinks.unused_values import same

if TYPE_CHECKING:
    from biggus.engine import Writer
    from biggus.graph import Node
    from biggus.sources.base import Box, Values

_NUMBERS = frozenset("biufc")

FILL_FIRST = "fill them first, with .filled(...)"
"""What to do about missing values that a target cannot represent."""


@dataclass(eq=False)
class MaskFiller:
    """Converts masked blocks to ndarrays."""

    marker: Any = None
    """The value to replace missing ones with; by default NaN or NaT."""

    problem: str | None = None
    """The error message if a value is missing and cannot be represented."""

    into: np.dtype[Any] | None = None
    """The dtype that the target casts values to, if known; it may have NaN if theirs has not."""

    def __call__(self, values: Values) -> npt.NDArray[Any]:
        """Return the values, with missing ones replaced.

        Raises
        ------
        MaskedValueError
            If a value is missing and cannot be represented.
        OutputError
            If a value equals the marker, so that it would be lost.
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
                raise MaskedValueError(self.problem, FILL_FIRST) from None
        filled = data.copy()
        filled[mask] = marker
        return filled

    def _check(self, data: npt.NDArray[Any], mask: Any) -> None:
        if data.dtype.kind not in "Mm" and np.any(same(data, self.marker) & ~mask):
            raise OutputError(
                f"{self.marker} would mark missing values, but is among the values; "
                "use a target with another fill value"
            )


class FillingWriter(WriterWrapper):
    """A writer to a new array whose store records no missing-value marker.

    Missing values become NaN or NaT.

    Parameters
    ----------
    writer : Writer
        The writer that blocks are passed on to.
    new : NewArray
        The new array.
    """

    def __init__(self, writer: Writer, new: NewArray) -> None:
        super().__init__(writer)
        self._new = new
        self._filler = MaskFiller(problem=new.problem)

    def write(self, box: Box, values: Values) -> None:
        """Write a block.

        Raises
        ------
        MaskedValueError
            If a value is missing and cannot be represented.
        """
        plain = self._filler(values)
        textual = plain.dtype.kind in "UOT" and self._new.dtype.kind == "O"
        stored = strings(plain) if textual else plain.astype(self._new.dtype, copy=False)
        self._writer.write(box, stored)

    def finish(self) -> None:
        """Do nothing: there is no marker to choose."""


def marker_for(node: Node, dtype: np.dtype[Any], packed: bool) -> Any:
    """Return the first marker of missing values of a node that are stored in `dtype`.

    Parameters
    ----------
    node : Node
        The node; its fill value is used if the dtype can hold it.
    dtype : dtype
        A dtype of integers, floating-point or complex numbers, times, or characters.
    packed : bool
        Whether the fill value of the node is a packed value, which means nothing here.
    """
    dtype = dtype.newbyteorder("=")
    own = None if packed else node.fill_value
    if dtype.kind == "S":
        return dtype.type(own if isinstance(own, bytes) else b"")
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
