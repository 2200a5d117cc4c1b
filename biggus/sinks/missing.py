"""What becomes of missing values where there is no mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus import filling
from biggus.errors import MaskedValueError, OutputError

if TYPE_CHECKING:
    from biggus.nodes import Node
    from biggus.source import Values

_NUMBERS = frozenset("biufc")


class Plain:
    """Makes plain arrays of blocks in which values may be missing.

    Parameters
    ----------
    marker : scalar, optional
        What stands for missing values.  If not given, they become NaN or NaT.
    problem : str, optional
        What to say where a value is missing and has no place.
    remedy : str
        What to do where a value is equal to the marker.
    into : dtype, optional
        What the values will be cast to, if it is known: it may have a place for
        what is missing where they have none.
    """

    def __init__(
        self,
        marker: Any = None,
        problem: str | None = None,
        remedy: str = "cast the array to a dtype that has a value to spare, with .astype",
        into: np.dtype[Any] | None = None,
    ) -> None:
        self.marker = marker
        self.problem = problem
        self.remedy = remedy
        self.into = into

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
        marker = self.marker
        with np.errstate(all="ignore"):
            same = data != data if marker != marker else data == marker  # noqa: PLR0124
        if data.dtype.kind not in "Mm" and np.any(same & ~mask):
            raise OutputError(
                f"the value {marker} is to mean a missing one, but is there as a value; "
                + self.remedy
            )


def marker_for(node: Node) -> Any:
    """Return what stands for missing values of a node, in a store that can say so.

    Of its dtype; None if that has no value to spare.
    """
    dtype = node.dtype.newbyteorder("=")
    own = node.fill_value
    if own is not None and dtype.kind in "iufcMm":
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
    if dtype.kind in "Mm":
        return np.array("NaT", dtype)[()]
    return None
