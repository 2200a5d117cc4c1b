"""Pieces: the parts of a node that are read or computed independently."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from biggus.graph.picking import picked
from biggus.sources.base import Box, Source, Values, box_shape, checked, read, read_into

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from biggus.graph.base import Node
    from biggus.graph.step import Step
    from biggus.indexing.selection import Selection

Steps: TypeAlias = "tuple[Step, Steps] | None"
"""A linked list of steps that are applied to values, first step first: prepending one is O(1)."""


class NodePart(NamedTuple):
    """A part of a node that is a selection of another node, with steps applied to it."""

    node: Node
    selection: Selection
    out_selection: Selection
    steps: Steps


def pieces_of(node: Node, selection: Selection, out_selection: Selection) -> Iterator[Piece]:
    """Return the pieces of a non-empty selection of a node.

    Parameters
    ----------
    node : Node
    selection : Selection
        The wanted elements.
    out_selection : Selection
        The elements of the result that they go to; over the same dims.
    """
    parts = iter(node.parts(selection, out_selection, None))
    first = next(parts)
    all_of_it: Iterator[Any] = itertools.chain((first,), parts)
    return _opened(all_of_it) if type(first) is NodePart else all_of_it


def _opened(parts: Iterator[Any]) -> Iterator[Piece]:
    stack = [parts]
    while stack:
        for node, selection, out_selection, steps in stack[-1]:
            inner = iter(node.parts(selection, out_selection, steps))
            first: Any = next(inner)
            if type(first) is NodePart:
                stack.append(itertools.chain((first,), inner))
                break
            yield first
            yield from inner
        else:
            stack.pop()


class Piece:
    """A part of a result that is read or computed independently of the others."""

    __slots__ = ()

    out_selection: Selection
    """The elements of the result that its values go to."""

    _steps: Steps

    @property
    def steps(self) -> Iterator[Step]:
        """The steps that are applied to the values, in this order."""
        steps = self._steps
        while steps is not None:
            step, steps = steps
            yield step

    @property
    def io_bound(self) -> bool:
        """Whether reading it waits for a disk or a server."""
        return False

    def _stepped(self, values: Values) -> Values:
        for step in self.steps:
            values = step(values)
        return values


@dataclass(slots=True, eq=False)
class Read(Piece):
    """One read of one source, and the steps that are applied to its values."""

    source: Source
    box: Box
    """The box that is read."""

    selection: Selection
    """The wanted values in the box; over the same dims as `out_selection`."""

    out_selection: Selection
    _steps: Steps

    @property
    def io_bound(self) -> bool:
        return self.source.io_bound

    def cached_read(self) -> Values | None:
        """Return the values of this piece, if reading need not wait; else None."""
        block = self.source.cached_read(self.box)
        return None if block is None else self.finish(checked(self.source, self.box, block))

    def load(self) -> Values:
        """Return the values of this piece.

        Raises
        ------
        SourceError
            If the read fails.
        """
        values = picked(self.source, self.box, self.selection)
        if values is not None:
            return self._stepped(values)
        return self.finish(read(self.source, self.box))

    def load_into(self, data: npt.NDArray[Any], mask: npt.NDArray[np.bool] | None = None) -> bool:
        """Read the values straight into an array, if they are contiguous there and in the source.

        Steps are applied in place.

        Parameters
        ----------
        data : ndarray
        mask : ndarray, optional
            The mask of the array, in which missing values are noted; False so far.

        Returns
        -------
        bool
            Whether the values have been read; if not, nothing was read.

        Raises
        ------
        SourceError
            If the read fails.
        """
        source = self.source
        if not source.reads_into or source.masked or source.dtype != data.dtype:
            return False
        if self._steps and mask is None:
            return False
        if not (self.selection.in_order and self.out_selection.in_order):
            return False
        room = self.out_selection.take_from(data)
        if not room.flags.c_contiguous:
            return False
        if not read_into(source, self.box, room.reshape(box_shape(self.box))):
            return False
        if self._steps:
            values = self._stepped(room)
            if isinstance(values, np.ma.MaskedArray):
                if values.mask is not np.ma.nomask and mask is not None:
                    self.out_selection.put_into(mask, np.ma.getmaskarray(values))
                values = values.data
            if values.__array_interface__ != room.__array_interface__:  # somewhere else
                room[...] = values
        return True

    def finish(self, block: Values) -> Values:
        """Return the values of this piece from those in the box."""
        return self._stepped(take(self.selection, block))


@dataclass(slots=True, eq=False)
class Combination(Piece):
    """Values that are computed from selections of several nodes."""

    function: Step | None
    """Computes the values; None if they are those of the only operand."""

    operands: tuple[tuple[Node, Selection], ...]
    out_selection: Selection
    _steps: Steps

    def finish(self, blocks: list[Values]) -> Values:
        """Return the values of this piece from those of the operands, which broadcast."""
        values = blocks[0] if self.function is None else self.function(*blocks)
        return spread(self._stepped(values), self.out_selection.shape)


def take(selection: Selection, block: Values) -> Values:
    """Return the selected elements of a block, with their mask, but without its fill value.

    Fill values are kept by nodes; here they would prevent casts.
    """
    if isinstance(block, np.ma.MaskedArray):
        mask = selection.take_from(np.ma.getmaskarray(block))
        return np.ma.MaskedArray(selection.take_from(block.data), mask=mask)
    return selection.take_from(block)


def spread(values: Values, shape: tuple[int, ...]) -> Values:
    """Return values broadcast to a shape, with their mask, which np.broadcast_to would drop."""
    if values.shape == shape:
        return values
    if isinstance(values, np.ma.MaskedArray):
        mask = np.broadcast_to(np.ma.getmaskarray(values), shape)
        return np.ma.MaskedArray(np.broadcast_to(values.data, shape), mask=mask)
    return np.broadcast_to(values, shape)
