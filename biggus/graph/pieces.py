"""Pieces: what a node falls into when it is read, each of which can be had on its own."""

from __future__ import annotations

import itertools
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
"""What is done to values: a step, and what is done after it.  So to add one before costs
the same for the first as for the thousandth."""


class NodePart(NamedTuple):
    """A selection of a node, which falls into pieces in its turn."""

    node: Node
    selection: Selection
    out_selection: Selection
    steps: Steps


def pieces_of(node: Node, selection: Selection, out_selection: Selection) -> Iterator[Piece]:
    """Return the pieces that a non-empty selection of a node falls into.

    Parameters
    ----------
    node : Node
    selection : Selection
        What is wanted of it.
    out_selection : Selection
        Where that goes; over the same dims.
    """
    parts = iter(node.parts(selection, out_selection, None))
    first = next(parts)
    all_of_it: Iterator[Any] = itertools.chain((first,), parts)
    return _opened(all_of_it) if type(first) is NodePart else all_of_it


def _opened(parts: Iterator[Any]) -> Iterator[Piece]:
    begun = [parts]
    while begun:
        for node, selection, out_selection, steps in begun[-1]:
            inner = iter(node.parts(selection, out_selection, steps))
            first: Any = next(inner)
            if type(first) is NodePart:
                begun.append(itertools.chain((first,), inner))
                break
            yield first
            yield from inner
        else:
            begun.pop()


class Piece:
    """A part of a result that can be had on its own.

    Parameters
    ----------
    out_selection : Selection
        Where its values go in the result.
    steps : Steps
        What is done to the values.
    """

    __slots__ = ("_steps", "out_selection")

    def __init__(self, out_selection: Selection, steps: Steps) -> None:
        self.out_selection = out_selection
        self._steps = steps

    @property
    def steps(self) -> Iterator[Step]:
        """What is done to the values, in this order."""
        steps = self._steps
        while steps is not None:
            step, steps = steps
            yield step

    @property
    def io_bound(self) -> bool:
        """Whether to have it is to wait, rather than to compute."""
        return False

    def _stepped(self, values: Values) -> Values:
        for step in self.steps:
            values = step(values)
        return values


class Read(Piece):
    """One read of one source: from where, what becomes of it, and where it goes.

    Parameters
    ----------
    source : Source
        What is read.
    box : tuple of slice
        The box that is read.
    selection : Selection
        Which of the values in the box are wanted; over the same dims as `out_selection`.
    out_selection, steps
        As in :class:`Piece`.
    """

    __slots__ = ("box", "selection", "source")

    def __init__(
        self, source: Source, box: Box, selection: Selection, out_selection: Selection, steps: Steps
    ) -> None:
        super().__init__(out_selection, steps)
        self.source = source
        self.box = box
        self.selection = selection

    @property
    def io_bound(self) -> bool:
        return self.source.io_bound

    def cached_read(self) -> Values | None:
        """Return what `load` would, if that need not wait; else None."""
        block = self.source.cached_read(self.box)
        return None if block is None else self.finish(checked(self.source, self.box, block))

    def load(self) -> Values:
        """Read, select and compute the values of this piece, in the shape of its dims.

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
        """Read to where the values go in an array, if they lie in one piece here and there.

        What is done to them is done there, where missing values can be noted.

        Parameters
        ----------
        data : ndarray
        mask : ndarray, optional
            Where they are missing, false so far.

        Returns
        -------
        bool
            Whether they are there; if not, nothing was read.

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
        """Select from what is in the box, and compute."""
        return self._stepped(take(self.selection, block))


class Combination(Piece):
    """Values computed from those of several nodes, all at the same dims.

    Parameters
    ----------
    function : Step or None
        What makes one array of those of the nodes; None if there is one node, and it is its own.
    operands : tuple of (Node, Selection)
        The nodes, and what is wanted of each.
    out_selection, steps
        As in :class:`Piece`.
    """

    __slots__ = ("function", "operands")

    def __init__(
        self,
        function: Step | None,
        operands: tuple[tuple[Node, Selection], ...],
        out_selection: Selection,
        steps: Steps,
    ) -> None:
        super().__init__(out_selection, steps)
        self.function = function
        self.operands = operands

    def finish(self, blocks: list[Values]) -> Values:
        """Compute, from what was wanted of each node; which may be of length 1 along a dim."""
        values = blocks[0] if self.function is None else self.function(*blocks)
        return spread(self._stepped(values), self.out_selection.shape)


def take(selection: Selection, block: Values) -> Values:
    """Return the selected elements of a block, with their mask if it has one.

    A fill value is a matter of the node: it would be in the way of a cast.
    """
    if isinstance(block, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(block)
        return np.ma.MaskedArray(
            selection.take_from(block.data),
            mask=selection.take_from(mask),
        )
    return selection.take_from(block)


def spread(values: Values, shape: tuple[int, ...]) -> Values:
    """Return values broadcast to a shape, with their mask, which NumPy would leave behind."""
    if values.shape == shape:
        return values
    if isinstance(values, np.ma.MaskedArray):
        mask = np.broadcast_to(np.ma.getmaskarray(values), shape)
        return np.ma.MaskedArray(np.broadcast_to(values.data, shape), mask=mask)
    return np.broadcast_to(values, shape)
