"""What a node is, and what it falls into when it is to be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.source import Box, Chunks, Source, Values, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.nodes.step import Step
    from biggus.region import Selection


class Piece:
    """One read of one source: from where, what becomes of it, and where it goes.

    Parameters
    ----------
    source : Source
        What is read.
    box : tuple of slice
        The box that is read.
    get : Selection
        Which of the values in the box are wanted.
    put : Selection
        Where they go in the result; over the same dims as `get`.
    steps : tuple of Step
        What is done to them, in this order.
    """

    __slots__ = ("box", "get", "put", "source", "steps")

    def __init__(
        self, source: Source, box: Box, get: Selection, put: Selection, steps: tuple[Step, ...]
    ) -> None:
        self.source = source
        self.box = box
        self.get = get
        self.put = put
        self.steps = steps

    def load(self) -> Values:
        """Read, select and compute the values of this piece, in the shape of its dims.

        Raises
        ------
        SourceError
            If the read fails.
        """
        return self.finish(read(self.source, self.box))

    def finish(self, block: Values) -> Values:
        """Select from what is in the box, and compute."""
        values = take(self.get, block)
        for step in self.steps:
            values = step(values)
        return values


class Node(ABC):
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
