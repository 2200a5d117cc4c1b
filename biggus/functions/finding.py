"""NumPy's functions of where values are not zero: a pass counts them, when they are called.

Places that are few are known then, too.  More than there is room for are found when they are read.
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
from biggus.graph import BaseStep, Blockwise, Reach
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

    from biggus.graph import BlockPlace
    from biggus.graph.blockwise import BlockStep
    from biggus.sources.base import Box, Chunks, Values

_log = logging.getLogger("biggus")

SHARE = 8
"""Of the memory option what is found takes this part: it is copied, when it is put in order."""

_MADE = 32
"""Bytes that are made of a value: about four places."""


class Finder(ABC):
    """Takes the blocks of an array, in a pass when it is made, and keeps what is found in each."""

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
        """Find what there is in a block, in pieces: of each value several are made."""
        shape = values.shape
        cut = default_chunks(shape, _MADE, min(self.room, DEFAULT_CHUNK_BYTES))
        for part in Grid(shape, cut).parts(whole(shape)):
            pairs = zip(box, part.chunk, strict=True)
            place = tuple([slice(s.start + o.start, s.start + o.stop, 1) for s, o in pairs])
            self.find(place, values[part.chunk])

    @abstractmethod
    def find(self, box: Box, values: Values) -> None:
        """Find what there is in a piece."""

    def places(self, box: Box, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return where values of a block are, in C order in the whole array."""
        shape = box_shape(box)
        start, stop = flat_range(box, self.shape)
        if stop - start == math.prod(shape):  # they lie side by side
            return chosen + start
        local = np.unravel_index(chosen, shape)
        there = [index + s.start for index, s in zip(local, box, strict=True)]
        found: npt.NDArray[np.intp] = np.asarray(np.ravel_multi_index(tuple(there), self.shape))
        return found


class _NonZero(Finder):
    """How many values are not zero in each piece of all in C order, and where, if those are few."""

    def __init__(self, array: Array, name: str) -> None:
        self._line = ravel(array)
        self._pieces = pieces_of(self._line)
        self._edges = edges_of(self._line.size, self._pieces)
        self._counts = np.zeros(self._edges.count, np.intp)
        self._found: list[npt.NDArray[np.intp]] = []
        super().__init__(array, name)
        few = self._counts.sum() * self._counts.itemsize <= self.room
        found = np.concatenate([np.empty(0, np.intp), *self._found])
        # Runs that are in order are merged sooner so.
        self.known = np.sort(found, kind="stable") if few else None

    def find(self, box: Box, values: Values) -> None:
        found = self.places(box, _not_zero(values))
        if not found.size:
            return
        numbers = self._edges.find_all(found)
        first = int(numbers.min())
        counts = np.bincount(numbers - first)
        with self.adding:
            self._counts[first : first + len(counts)] += counts
            if self._counts.sum() * found.itemsize <= self.room:
                self._found.append(found)
            else:
                self._found.clear()

    def of_each(self, step: BlockStep, others: Sequence[Array] = ()) -> Array:
        """Return what a step gives of each piece, and of those of other lines: so much is there."""
        lines = [self._line, *others]
        reaches = [[Reach(0, pieces=self._pieces)]] * len(lines)
        cut = tuple(self._counts.tolist())
        nodes = [one.node for one in lines]
        return Array.from_node(Blockwise(step, nodes, reaches, (sum(cut),), (cut,)))


def _not_zero(values: Values) -> npt.NDArray[np.intp]:
    """Return where values of a block are not zero; missing ones count as zero."""
    if isinstance(values, np.ma.MaskedArray):
        values = values.filled(values.dtype.type(0))
    return np.flatnonzero(values)


class _Places(BaseStep):
    """Where values of a piece are not zero."""

    dtype = np.dtype(np.intp)
    key = "places that are not zero"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        places: Values = _not_zero(blocks[0]) + place.operands[0][0].start
        return places


class _Chosen(BaseStep):
    """The values of a piece where those of another are not zero."""

    def __init__(self, values: Array) -> None:
        self.dtype = values.dtype
        self.masked = values.masked
        self.key = f"{self.dtype!r} where it is not zero"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        condition, values = blocks
        chosen: Values = values[_not_zero(condition)]
        return chosen


@implements(np.flatnonzero)
def _flatnonzero(a: Any) -> Array:
    found = _NonZero(as_array(a), "flatnonzero")
    if found.known is None:
        return found.of_each(_Places())
    return as_array(found.known)


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[Array, ...]:
    """Return where values are not zero, as :func:`numpy.nonzero`; how many, a pass tells."""
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
    """Return the values where a condition holds, as :func:`numpy.extract`; a pass counts them."""
    values = ravel(arr)
    found = _NonZero(as_array(condition), "extract")
    size = math.prod(found.shape)
    if found.known is not None or size > values.size:
        return values[_flatnonzero(condition) if found.known is None else found.known]
    return found.of_each(_Chosen(values), [values[:size]])
