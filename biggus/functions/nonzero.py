"""`nonzero`, `extract` and their like: a pass over the data counts elements when they are called.

If the indices fit into memory, the pass keeps them; else they are found when the result is read.
"""

from __future__ import annotations

import logging
import math
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import engine, options
from biggus.array import Array, implements
from biggus.functions.counting import pieces_of
from biggus.functions.elementwise import as_array, where
from biggus.functions.joining import stack
from biggus.functions.reshaping import ravel
from biggus.functions.steps import FunctionStep
from biggus.graph import BlockPlace, Blockwise, Reach
from biggus.indexing.grid import (
    DEFAULT_CHUNK_BYTES,
    Grid,
    box_shape,
    default_chunks,
    edges_of,
    flat_range,
    whole,
)
from biggus.options import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from biggus.graph.blockwise import BlockStep
    from biggus.sources.base import Box, Chunks, Values

_log = logging.getLogger("biggus")

SHARE = 8
"""The indices may take this fraction, 1/8, of the memory option; sorting copies them."""

_MADE = 32
"""The bytes of temporary arrays for each value: about four indices."""


class Finder(ABC):
    """A pass over an array on construction, which searches each block and keeps the results."""

    grid: Chunks | None = None
    concurrent = True

    def __init__(self, array: Array, name: str) -> None:
        self.shape = array.shape
        self.adding = threading.Lock()
        self.room = options.current().memory // SHARE
        if array.size:
            _log.info("%s of a lazy array: a pass over %s", name, format_bytes(array.nbytes))
            engine.store([array.node], [self])

    def write(self, box: Box, values: Values) -> None:
        """Search a block, in pieces, for temporary arrays are larger than the block."""
        shape = values.shape
        cut = default_chunks(shape, _MADE, min(self.room, DEFAULT_CHUNK_BYTES))
        for part in Grid(shape, cut).parts(whole(shape)):
            pairs = zip(box, part.chunk, strict=True)
            place = tuple([slice(s.start + o.start, s.start + o.stop, 1) for s, o in pairs])
            self.find(place, values[part.chunk])

    @abstractmethod
    def find(self, box: Box, values: Values) -> None:
        """Search a piece of a block."""

    def places(self, box: Box, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the flat indices, in the whole array, of elements of a block."""
        shape = box_shape(box)
        start, stop = flat_range(box, self.shape)
        if stop - start == math.prod(shape):  # the block is contiguous
            return chosen + start
        local = np.unravel_index(chosen, shape)
        there = [index + s.start for index, s in zip(local, box, strict=True)]
        flat: npt.NDArray[np.intp] = np.asarray(np.ravel_multi_index(tuple(there), self.shape))
        return flat


class _NonZero(Finder):
    """The number of non-zero values in each piece of the flat array; their indices if few."""

    def __init__(self, array: Array, name: str) -> None:
        self._line = ravel(array)
        self._pieces = pieces_of(self._line)
        self._edges = edges_of(self._line.size, self._pieces)
        self._counts = np.zeros(self._edges.count, np.intp)
        self._indices: list[npt.NDArray[np.intp]] = []
        super().__init__(array, name)
        few = self._counts.sum() * self._counts.itemsize <= self.room
        places = np.concatenate([np.empty(0, np.intp), *self._indices])
        # Stable sorting is fast for runs that are sorted already.
        self.known = np.sort(places, kind="stable") if few else None

    def find(self, box: Box, values: Values) -> None:
        places = self.places(box, _not_zero(values))
        if not places.size:
            return
        numbers = self._edges.find_all(places)
        first = int(numbers.min())
        counts = np.bincount(numbers - first)
        with self.adding:
            self._counts[first : first + len(counts)] += counts
            if self._counts.sum() * places.itemsize <= self.room:
                self._indices.append(places)
            else:
                self._indices.clear()

    def of_each(self, step: BlockStep, others: Sequence[Array] = ()) -> Array:
        """Return the results of a step for each piece, whose lengths are the counts."""
        lines = [self._line, *others]
        reaches = [[Reach(0, pieces=self._pieces)]] * len(lines)
        cut = tuple(self._counts.tolist())
        nodes = [one.node for one in lines]
        return Array.from_node(Blockwise(step, nodes, reaches, (sum(cut),), (cut,)))


def _not_zero(values: Values) -> npt.NDArray[np.intp]:
    """Return the flat indices of non-zero values of a block; missing values count as zero."""
    if isinstance(values, np.ma.MaskedArray):
        values = values.filled(values.dtype.type(0))
    return np.flatnonzero(values)


def _places(place: BlockPlace, block: Values) -> Values:
    """Return the indices of the non-zero values of a piece."""
    places: Values = _not_zero(block) + place.operands[0][0].start
    return places


def _chosen(place: BlockPlace, condition: Values, values: Values) -> Values:
    """Return the values of a piece where a condition is not zero."""
    chosen: Values = values[_not_zero(condition)]
    return chosen


@implements(np.flatnonzero)
def _flatnonzero(a: Any) -> Array:
    finder = _NonZero(as_array(a), "flatnonzero")
    if finder.known is None:
        return finder.of_each(FunctionStep(_places, np.dtype(np.intp)))
    return as_array(finder.known)


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[Array, ...]:
    """Return the indices of non-zero values, as :func:`numpy.nonzero`; a pass counts them."""
    array = as_array(a)
    if array.ndim == 0:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar)")
    return np.unravel_index(_flatnonzero(array), array.shape)  # type: ignore[return-value]


@implements(np.where)
def _where(condition: Any, *choices: Any) -> Any:
    return where(condition, *choices) if choices else nonzero(condition)


@implements(np.argwhere)
def _argwhere(a: Any) -> Array:
    array = as_array(a)
    if array.ndim == 0:
        return as_array(np.empty((int(bool(array)), 0), np.intp))
    return stack(nonzero(array), axis=-1)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Array:
    """Return the values where a condition is true, as :func:`numpy.extract`; a pass counts them."""
    values = ravel(arr)
    finder = _NonZero(as_array(condition), "extract")
    size = math.prod(finder.shape)
    if finder.known is not None or size > values.size:
        return values[_flatnonzero(condition) if finder.known is None else finder.known]
    step = FunctionStep(_chosen, values.dtype, masked=values.masked)
    return finder.of_each(step, [values[:size]])
