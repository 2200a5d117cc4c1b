"""Medians and quantiles along some axes; these need all values of a line at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from biggus import statistics
from biggus.expressions import text_of
from biggus.graph import BaseStep
from biggus.sources.base import Values, whole
from biggus.sources.byte_order import native_order
from biggus.sources.stream import slabs
from biggus.support.hidden_warnings import ALL_NAN, hidden_messages, hiding, warn

_UNRANKED = "fcmM"
"""Kinds of dtypes that have NaN or NaT."""

_LINED_UP = frozenset(map(np.dtype, "bBhHiIlLqQfd"))
"""Dtypes whose values are copied so that each line is contiguous."""

_SHORT = 1024
"""Lines of no more values than this, of up to four bytes each, are sorted: that is faster than
NumPy's partition."""

_SLAB = 2**19
"""About how many elements the lines have that are computed at once."""

_COPIES = 5
"""The copies of its lines that a function makes."""


class _Sorted(np.ndarray[Any, Any]):
    """Values that are sorted along their last axis, so that NumPy need not partition them."""

    def partition(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


class Ranked(BaseStep):
    """NumPy's median, quantile or percentile, or one of their nan-twins, along some axes.

    Missing values are left out.

    Parameters
    ----------
    name : str
        The name of the function.
    dtype : dtype
        The dtype of the values.
    shape : tuple of int
        The shape of the whole array.
    axes : tuple of int
        The axes, ascending.
    q : tuple
        The quantiles, if the function takes any.
    method : mapping
        The function's keyword arguments.

    Raises
    ------
    TypeError, ValueError
        If the function raises them for such values.
    """

    def __init__(
        self,
        name: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        axes: tuple[int, ...],
        q: tuple[Any, ...],
        method: Mapping[str, str],
    ) -> None:
        self.name = name
        self.hidden = hidden_messages()
        self.axes = axes
        self.method = method
        self.shape = np.shape(q[0]) if q else ()
        # The nan-twins do not support quantiles with more than one axis.
        self.q = tuple([np.reshape(one, -1) if self.shape else one for one in q])
        with np.errstate(all="ignore"):
            probe = self._called(name, np.ones(self._probe(shape), dtype))
        self.dtype: np.dtype[Any] = np.asarray(probe).dtype
        own = {"q": np.asarray(q[0]), "dtype": self.dtype} if q else {}
        self.parameters = {**own, **method}
        """The parameters of the statistic of the same name."""
        self._length = math.prod([shape[axis] for axis in axes])
        self._few_at_once = native_order(dtype) in _LINED_UP
        """Whether a few lines are computed at a time; the rounding of float16 depends on others."""
        self._itemsize = dtype.itemsize
        self.accumulates = statistics.rankable(dtype) and 0 not in self.shape

    def _probe(self, shape: tuple[int, ...]) -> list[int]:
        """Return the shape of the array that is tried, to find the dtype of results or an error."""
        if self.name.startswith("nan"):
            return [1] * len(shape)  # empty lines are no error; they warn when they are read
        others = [n for axis, n in enumerate(shape) if axis not in self.axes]
        if 0 in others and len(self.axes) > 1:
            return [min(n, 1) for n in shape]  # NumPy raises, as it cannot reshape the array
        if self.name == "median":
            return [1] * len(shape)
        return [min(n, 1) if axis in self.axes else 1 for axis, n in enumerate(shape)]

    @property
    def key(self) -> str | None:
        """A text that equal steps share in any process; None if there is none."""
        text = text_of((self.axes, self.shape, *self.q, *self.method.values()))
        return None if text is None else f"{self.name}({text}, {self.dtype!r})"

    @property
    def working_bytes(self) -> int | None:
        """The most memory that computing any block takes beside the block and the results.

        None if it grows with the block.
        """
        if not self._few_at_once:
            return None
        return _COPIES * max(_SLAB, self._length) * (self._itemsize + 1)

    def __call__(self, block: Values) -> Values:
        """Return the results; reduced axes have length one, and the axes of quantiles come last."""
        lengths = [1 if axis in self.axes else n for axis, n in enumerate(block.shape)]
        lines = max(1, _SLAB // max(1, self._length))
        if not self._few_at_once or math.prod(lengths) <= lines:
            return self._computed(block)
        values = np.empty((*lengths, *self.shape), self.dtype)
        mask = np.empty(values.shape, bool) if isinstance(block, np.ma.MaskedArray) else None
        for box in slabs(whole(tuple(lengths)), lines):
            places = [slice(None) if axis in self.axes else s for axis, s in enumerate(box)]
            results = self._computed(block[tuple(places)])
            values[box] = np.ma.getdata(results)
            if mask is not None:
                mask[box] = np.ma.getmaskarray(results)
        return values if mask is None else np.ma.MaskedArray(values, mask=mask)

    def _computed(self, block: Values) -> Values:
        if isinstance(block, np.ma.MaskedArray):
            return self._of_valid(block)
        # float16 would round or warn differently from NumPy.
        if not block.size or native_order(block.dtype) not in _LINED_UP:
            results = self._with_quantiles_last(self._called(self.name, block))
            return results.astype(self.dtype, copy=False)
        lengths = [1 if axis in self.axes else n for axis, n in enumerate(block.shape)]
        return self._of_lines(self._lines(block)).reshape(*lengths, *self.shape)

    def _lines(self, block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return a copy of the values in which each line is contiguous."""
        places = tuple(range(-len(self.axes), 0))
        turned = np.moveaxis(block, self.axes, places)
        if turned.strides[-1:] != (turned.itemsize,):
            # The values of a line may be pages apart.  A copy in the order of memory brings them
            # together, so that the copy that turns the axes stays in the cache.
            turned = turned.copy(order="K")
        native = np.array(turned, native_order(turned.dtype), order="C", copy=True)
        lines = native.reshape(-1, math.prod([block.shape[axis] for axis in self.axes]))
        if lines.shape[1] <= _SHORT and lines.dtype.itemsize <= 4:
            lines.sort(axis=1)
            return lines.view(_Sorted)
        return lines

    def _of_lines(self, lines: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the results of lines, which are overwritten."""
        name, plain = self.name, self.name.removeprefix("nan")
        # NumPy's nan-twins are slow, as they go line by line.
        if name == plain or lines.dtype.kind != "f":
            return self._results(plain, lines)
        # NaN is sorted last.
        if not np.isnan(lines[:, -1:] if isinstance(lines, _Sorted) else lines).any():
            return self._results(plain, lines)
        lines.sort(axis=1)
        lines = lines.view(_Sorted)
        counts = lines.shape[1] - np.isnan(lines).sum(axis=1)
        results = self._of_first(lines, counts)
        if not counts.all():
            results[counts == 0] = np.nan
            with hiding(self.hidden):
                warn(ALL_NAN)
        return results

    def _of_first(
        self, lines: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Return the results of the first values of each line, `counts` of them; 0 for none."""
        results = np.zeros((len(lines), *self.shape), self.dtype)
        for count in np.unique(counts[counts > 0]):
            alike = counts == count
            results[alike] = self._results(self.name.removeprefix("nan"), lines[alike, :count])
        return results

    def _results(self, name: str, lines: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        function = getattr(np, name)
        results = function(lines, *self.q, axis=1, overwrite_input=True, **self.method)
        return self._with_quantiles_last(np.asarray(results)).astype(self.dtype, copy=False)

    def _called(self, name: str, values: np.ndarray[Any, Any]) -> Any:
        function = getattr(np, name)
        return function(values, *self.q, axis=self.axes, keepdims=True, **self.method)

    def _with_quantiles_last(self, results: Any) -> np.ndarray[Any, Any]:
        if not self.shape:
            return np.asarray(results)
        last: np.ndarray[Any, Any] = np.moveaxis(results, 0, -1)
        return last.reshape(*results.shape[1:], *self.shape)

    def _of_valid(self, block: np.ma.MaskedArray[Any, Any]) -> Values:
        """Return the results of masked lines, those with equally many valid values together."""
        places = tuple(range(-len(self.axes), 0))
        data = np.moveaxis(block.data, self.axes, places)
        invalid = np.moveaxis(np.ma.getmaskarray(block), self.axes, places)
        length = math.prod(block.shape[axis] for axis in self.axes)
        number = math.prod(n for axis, n in enumerate(block.shape) if axis not in self.axes)
        lines = data.reshape(number, length)
        invalid = invalid.reshape(number, length)
        if self.name.startswith("nan") and block.dtype.kind in _UNRANKED:
            invalid = invalid | np.isnan(lines)
        counts = length - invalid.sum(axis=1)
        if invalid.any():
            order = np.argsort(invalid, axis=1, kind="stable")  # valid values come first
            lines = np.take_along_axis(lines, order, axis=1)
        results = self._of_first(lines, counts)
        missing = np.broadcast_to((counts == 0).reshape(-1, *[1] * len(self.shape)), results.shape)
        shape = [1 if axis in self.axes else n for axis, n in enumerate(block.shape)]
        shape += self.shape
        return np.ma.MaskedArray(results.reshape(shape), mask=missing.reshape(shape))
