"""Missing values: filling them, and implicit conversion to ndarrays.

Implicit conversion, as by :func:`numpy.asarray`, replaces missing values by NaN or NaT, or raises
an error, and reads no more than the memory option allows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from biggus import engine, options
from biggus import graph as nodes
from biggus.adapt import Lazy
from biggus.array import filling
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.array.array import Array
    from biggus.graph import Node


class Missing(Lazy):
    """Mixin of methods that concern missing values."""

    __slots__ = ()

    def filled(self: Any, fill_value: Any = None) -> Array:
        """Replace missing values, as :meth:`numpy.ma.MaskedArray.filled`.

        Parameters
        ----------
        fill_value : scalar, optional
            The value to replace them with, cast to the dtype of the array.  By default it is
            the `fill_value` of the array.

        Returns
        -------
        Array
            A lazy array of the same shape and dtype, without missing values.

        Raises
        ------
        TypeError
            If the dtype cannot hold `fill_value`.
        ValueError
            If `fill_value` is not a scalar.

        Examples
        --------
        >>> import biggus, numpy as np
        >>> a = biggus.ArrayAdapter(np.ma.masked_array([1.0, 2.0], [False, True]))
        >>> a.filled(np.nan).ndarray()
        array([ 1., nan])
        """
        array: Array = self
        if not array.masked:
            return array
        if fill_value is None:
            fill_value = array.node.fill_value
        value = np.ma.MaskedArray(np.empty(0, array.dtype), fill_value=fill_value).fill_value
        if np.ndim(value):
            raise ValueError(f"fill_value is one value, not an array of shape {np.shape(value)}")
        step = nodes.Filled(np.asarray(value, array.dtype))
        return array.from_node(nodes.Elementwise(step, array.node))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a biggus Array is read into new memory, so a copy cannot be avoided")
        _check_unasked(self.node)
        values = engine.evaluate(self.node)
        if dtype is not None:
            if isinstance(values, np.ma.MaskedArray):  # drop the fill value, which may not fit
                values = np.ma.MaskedArray(values.data, mask=values.mask)
            values = nodes.Cast(np.dtype(dtype))(values)
        return filling.filled(values)

    # numpy.ma looks for these attributes.  Without them it would convert a masked array to an
    # ndarray; and if they returned data and mask, it would lose the mask where it adds axes.

    @property
    def _mask(self) -> Any:
        return self._data if self.node.masked else np.ma.nomask

    @property
    def _data(self) -> NoReturn:
        raise TypeError(
            "numpy.ma would read a lazy array: put the lazy operand first, as in `a + m`, call "
            "the function of numpy, which is lazy, or call .masked_array()"
        )


def _check_unasked(node: Node) -> None:
    """Raise a MemoryBudgetError if an implicit conversion would read too much."""
    nbytes, limit = math.prod(node.shape) * node.dtype.itemsize, options.current().memory
    if nbytes > limit:
        raise MemoryBudgetError(
            f"not reading {format_bytes(nbytes)} implicitly (the memory option is "
            f"{format_bytes(limit)}): slice it first, or call .ndarray()"
            + (", or pass .filled(...) to libraries that take lazy arrays without masks")
            * node.masked
        )
