"""Missing values: where they are, what stands for them, and how they are told to others.

Whoever takes values unasked, as :func:`numpy.asarray` does, is given NaN or NaT for what
is missing, or an error; and no more than the memory option allows.
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
    """What an array has to say of missing values."""

    __slots__ = ()

    def filled(self: Any, fill_value: Any = None) -> Array:
        """Put a value in the place of those that are missing, when they are read.

        Parameters
        ----------
        fill_value : scalar, optional
            What to put there, as :meth:`numpy.ma.MaskedArray.filled` takes it: it is cast to
            the dtype of the array.  The array's own `fill_value` if it is not given.

        Returns
        -------
        Array
            Of the same shape and dtype; none of its values is missing.

        Raises
        ------
        TypeError
            If the dtype cannot hold it.
        ValueError
            If it is not one value.

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
            raise ValueError(f"one value is filled in, not an array of shape {np.shape(value)}")
        step = nodes.Filled(np.asarray(value, array.dtype))
        return array.from_node(nodes.Elementwise(step, array.node))

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a biggus Array is read into new memory: it cannot be had uncopied")
        _check_unasked(self.node)
        values = engine.evaluate(self.node)
        if dtype is not None:
            if isinstance(values, np.ma.MaskedArray):  # without its fill value, which may not fit
                values = np.ma.MaskedArray(values.data, mask=values.mask)
            values = nodes.Cast(np.dtype(dtype))(values)
        return filling.filled(values)

    # What numpy.ma looks for, in whatever it is given.  Without them it would take the values,
    # for ndarrays; with them, it would lose track of a mask where it adds axes.

    @property
    def _mask(self) -> Any:
        return self._data if self.node.masked else np.ma.nomask

    @property
    def _data(self) -> NoReturn:
        raise TypeError(
            "numpy.ma would read a lazy array: write that first, as in `a + m`, call NumPy's own "
            "function, which is lazy, or call .masked_array()"
        )


def _check_unasked(node: Node) -> None:
    """Refuse to read very much for whoever has not said so."""
    nbytes, limit = math.prod(node.shape) * node.dtype.itemsize, options.current().memory
    if nbytes > limit:
        raise MemoryBudgetError(
            f"not reading {format_bytes(nbytes)} unasked (the memory option is "
            f"{format_bytes(limit)}): slice it first, or call .ndarray()"
            + (", or give .filled(...) to who takes lazy arrays without masks" * node.masked)
        )
