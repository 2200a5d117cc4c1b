"""NumPy's functions whose results are as long as the values say: found in a pass when called.

What they give is in memory, and refused if there is not so much of it; what is as long as the
array itself, as the inverse of `numpy.unique` is, stays lazy.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus import engine, options
from biggus.array import Array, implements
from biggus.errors import MemoryBudgetError
from biggus.functions.elementwise import node_or_scalar
from biggus.functions.reshaping import ravel, reshape
from biggus.options import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.sources.base import Box, Chunks, Values

_log = logging.getLogger("biggus")


class _Finder(ABC):
    """Takes blocks of an array, and keeps what is found in each."""

    grid: Chunks | None = None
    concurrent = True

    def __init__(self, array: Array, name: str) -> None:
        self.shape = array.shape
        self._name = name
        self._found: list[Any] = []
        self._adding = threading.Lock()
        self._room = options.current().memory
        self._bytes = 0
        if array.size:
            _log.info("%s of a lazy array: a pass over %s", name, format_bytes(array.nbytes))
            engine.store([array.node], [self])

    def write(self, box: Box, values: Values) -> None:
        """Find what there is in a block."""
        found = self.found(box, values)
        with self._adding:
            self._found.append(found)
            self._bytes += _bytes_of(found)
            if self._bytes > self._room // 2:
                self._found = [self.merged()]
                self._bytes = _bytes_of(self._found[0])
            if self._bytes > self._room // 2:
                raise MemoryBudgetError(
                    f"{self._name} finds more than the memory option, "
                    f"{format_bytes(self._room)}, has room for"
                )

    @abstractmethod
    def found(self, box: Box, values: Values) -> Any:
        """Return what is found in a block."""

    @abstractmethod
    def merged(self) -> Any:
        """Return all that was found as one."""

    def places(self, box: Box, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return where values of a block are, in C order in the whole array."""
        if not box:
            return chosen
        shape = tuple([s.stop - s.start for s in box])
        local = np.unravel_index(chosen, shape)
        whole = [index + s.start for index, s in zip(local, box, strict=True)]
        found: npt.NDArray[np.intp] = np.asarray(np.ravel_multi_index(tuple(whole), self.shape))
        return found


def _bytes_of(found: Any) -> int:
    return sum(one.nbytes for one in (found if isinstance(found, tuple) else (found,)))


class _NonZero(_Finder):
    """Where values are not zero; missing ones count as zero."""

    def found(self, box: Box, values: Values) -> npt.NDArray[np.intp]:
        if isinstance(values, np.ma.MaskedArray):
            values = values.filled(values.dtype.type(0))
        return self.places(box, np.flatnonzero(values))

    def merged(self) -> npt.NDArray[np.intp]:
        return np.sort(np.concatenate([np.empty(0, np.intp), *self._found]))


@implements(np.flatnonzero)
def _flatnonzero(a: Any) -> npt.NDArray[np.intp]:
    return _NonZero(node_or_scalar(a), "flatnonzero").merged()


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[npt.NDArray[np.intp], ...]:
    """Return where values are not zero, as :func:`numpy.nonzero`: in a pass, at once."""
    array = node_or_scalar(a)
    if array.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar)")
    return np.unravel_index(_NonZero(array, "nonzero").merged(), array.shape)


@implements(np.argwhere)
def _argwhere(a: Any) -> npt.NDArray[np.intp]:
    array = node_or_scalar(a)
    if array.ndim == 0:
        return np.empty((int(bool(array)), 0), np.intp)
    return np.stack(nonzero(array), axis=-1)


@implements(np.extract)
def _extract(condition: Any, arr: Any) -> Array:
    places = _flatnonzero(condition) if isinstance(condition, Array) else np.flatnonzero(condition)
    return ravel(arr)[places]


# Values without repeats ---------------------------------------------------------------------


class _Found(NamedTuple):
    """Values, each once: where it is first, and how often it is there."""

    values: npt.NDArray[Any]
    first: npt.NDArray[np.intp]
    counts: npt.NDArray[np.intp]


class _Unique(_Finder):
    """Which values there are."""

    def __init__(self, array: Array, equal_nan: bool) -> None:
        if array.masked:
            raise TypeError(
                "unique of a lazy array whose values can be missing: "
                "call .masked_array() or .filled(...)"
            )
        self._dtype = array.dtype
        self._equal_nan = equal_nan
        super().__init__(array, "unique")

    def found(self, box: Box, values: Values) -> _Found:
        each, first, counts = np.unique(
            values, return_index=True, return_counts=True, equal_nan=self._equal_nan
        )
        return _Found(each, self.places(box, first), counts)

    def merged(self) -> _Found:
        nothing = np.empty(0, np.intp)
        several = self._found or [_Found(np.empty(0, self._dtype), nothing, nothing)]
        values, first, counts = (np.concatenate(parts) for parts in zip(*several, strict=True))
        order = np.argsort(first, kind="stable")  # of equal ones the first comes first
        each, places, inverse = np.unique(
            values[order], return_index=True, return_inverse=True, equal_nan=self._equal_nan
        )
        total = np.zeros(len(each), np.intp)
        np.add.at(total, inverse.reshape(-1), counts[order])
        return _Found(each, first[order][places], total)


@implements(np.unique)
def _unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,  # noqa: ARG001 - they always are
) -> Any:
    array: Array = node_or_scalar(ar)
    if axis is not None:
        raise TypeError("unique along an axis of a lazy array: read it first, with .ndarray()")
    found = _Unique(array, equal_nan).merged()
    results: list[Any] = [found.values]
    if return_index:
        results.append(found.first)
    if return_inverse:
        results.append(_inverse(array, found.values, equal_nan))
    if return_counts:
        results.append(found.counts)
    return results[0] if len(results) == 1 else tuple(results)


def _inverse(array: Array, values: npt.NDArray[Any], equal_nan: bool) -> Array:
    if not equal_nan and values.dtype.kind in "fcmM" and np.isnan(values[-1:]).any():
        raise TypeError("NaN that are unequal have no inverse: read it first, with .ndarray()")
    places: Any = np.searchsorted(values, array)
    return reshape(places, array.shape)


def _of_the_standard(name: str, **asked: bool) -> None:
    """Add what the array API standard calls so: a named tuple, in which NaN are unequal."""
    function = getattr(np, name)
    kind = type(function(np.empty(0)))

    def find(x: Any, /) -> Any:
        found = _unique(x, equal_nan=False, **asked)
        return kind(*found) if asked else found

    implements(function)(find)


_of_the_standard("unique_values")
_of_the_standard("unique_counts", return_counts=True)
_of_the_standard("unique_inverse", return_inverse=True)
_of_the_standard("unique_all", return_index=True, return_inverse=True, return_counts=True)


def _of_sets(name: str) -> Callable[..., npt.NDArray[Any]]:
    """Return a function of two sets, which are made of arrays in passes of their own."""
    function = getattr(np, name)

    def combine(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:  # noqa: ARG001 - they are
        first, second = [
            _unique(one) if isinstance(one, Array) else np.unique(one) for one in (ar1, ar2)
        ]
        return function(first, second)

    return combine


for _name in ("intersect1d", "setdiff1d", "setxor1d", "union1d"):
    implements(getattr(np, _name))(_of_sets(_name))
