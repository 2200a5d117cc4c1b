"""What a node is, and the pieces that it falls into when it is to be read."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.source import Box, Chunks, Source, Values, box_shape, checked, read, read_into

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from biggus.nodes.step import Step
    from biggus.region import Selection
    from biggus.source import Stream


class Piece:
    """A part of a result that can be had on its own.

    Parameters
    ----------
    put : Selection
        Where its values go in the result.
    steps : tuple of Step
        What is done to the values, in this order.
    """

    __slots__ = ("put", "steps")

    def __init__(self, put: Selection, steps: tuple[Step, ...]) -> None:
        self.put = put
        self.steps = steps

    @property
    def waits(self) -> bool:
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
    get : Selection
        Which of the values in the box are wanted; over the same dims as `put`.
    put, steps
        As in :class:`Piece`.
    """

    __slots__ = ("box", "get", "source")

    def __init__(
        self, source: Source, box: Box, get: Selection, put: Selection, steps: tuple[Step, ...]
    ) -> None:
        super().__init__(put, steps)
        self.source = source
        self.box = box
        self.get = get

    @property
    def waits(self) -> bool:
        return self.source.waits

    def at_hand(self) -> Values | None:
        """Return what `load` would, if that need not wait; else None."""
        block = self.source.at_hand(self.box)
        return None if block is None else self.finish(checked(self.source, self.box, block))

    def load(self) -> Values:
        """Read, select and compute the values of this piece, in the shape of its dims.

        Raises
        ------
        SourceError
            If the read fails.
        """
        return self.finish(read(self.source, self.box))

    def load_into(self, data: npt.NDArray[Any]) -> bool:
        """Read to where the values go in an array, if they lie in one piece here and there.

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
        if not source.reads_into or source.masked or self.steps or source.dtype != data.dtype:
            return False
        if not (self.get.in_order and self.put.in_order):
            return False
        room = self.put.take_from(data)
        if not room.flags.c_contiguous:
            return False
        return read_into(source, self.box, room.reshape(box_shape(self.box)))

    def finish(self, block: Values) -> Values:
        """Select from what is in the box, and compute."""
        return self._stepped(take(self.get, block))


class Combination(Piece):
    """Values computed from those of several nodes, all at the same dims.

    Parameters
    ----------
    function : Step
        What makes one array of those of the nodes.
    operands : tuple of (Node, Selection)
        The nodes, and what is wanted of each.
    put, steps
        As in :class:`Piece`.
    """

    __slots__ = ("function", "operands")

    def __init__(
        self,
        function: Step,
        operands: tuple[tuple[Node, Selection], ...],
        put: Selection,
        steps: tuple[Step, ...],
    ) -> None:
        super().__init__(put, steps)
        self.function = function
        self.operands = operands

    def finish(self, blocks: list[Values]) -> Values:
        """Compute, from what was wanted of each node; which may be of length 1 along a dim."""
        return spread(self._stepped(self.function(*blocks)), self.put.shape)


class Node:  # no ABC: to be asked for its kind is then much faster
    """A lazy expression; immutable.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    masked : bool
        Whether values can be missing: static, from metadata and operations.
    fill_value : object
        What a missing value is shown as; None for NumPy's default.
    grid : tuple or None
        For each axis the chunk length or the lengths of all chunks, if known.
    """

    __slots__ = ()

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def masked(self) -> bool:
        """Whether values can be missing."""

    @property
    def fill_value(self) -> Any:
        """What a missing value is shown as; None for NumPy's default."""
        return None

    @property
    @abstractmethod
    def grid(self) -> Chunks | None:
        """The natural chunks, if known."""

    @property
    def staged(self) -> bool:
        """Whether there is a reduction in it, which must be computed first."""
        return False

    @property
    def streams(self) -> bool:
        """Whether values that follow one another in C order can be read for their part of all."""
        return False

    def stream(self, get: Selection) -> Stream:
        """Return what reads a non-empty selection of a node that `streams`, run by run.

        It lies within one tile, if the node is a mosaic.
        """
        raise NotImplementedError  # few nodes stream, and no other is asked

    @abstractmethod
    def within(self, get: Selection) -> Node:
        """Return the node of a non-empty selection of this one, with nothing in it but that.

        The selection is handed down as far as it goes, so that what is not
        touched, such as a tile of a mosaic, is no part of the result.
        """

    @abstractmethod
    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        """Yield the pieces that a non-empty selection of this node falls into.

        Parameters
        ----------
        get : Selection
            What is wanted of this node.
        put : Selection
            Where that goes; over the same dims.
        steps : tuple of Step
            What is to be done to the values afterwards.
        """


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
