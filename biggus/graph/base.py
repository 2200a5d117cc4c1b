"""What a node is."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from biggus.graph.packing import packed, unpacked_one
from biggus.graph.pieces import pieces_of
from biggus.graph.telling import told_of_piece
from biggus.graph.walk import any_answer, ordered
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    import numpy as np

    from biggus.graph.pieces import NodePart, Piece, Steps
    from biggus.graph.telling import Told
    from biggus.indexing.reduction_blocks import Lengths
    from biggus.sources.base import Chunks, Stream, Values

_is_masked = attrgetter("masked")
_needs_reduction = attrgetter("needs_reduction")
_is_combined = attrgetter("combined")

UNKNOWN: Any = ...
"""A grid that nobody has asked for; the same in any process."""


class Node:  # no ABC: to be asked for its kind is then much faster
    """A lazy expression; immutable.

    What is known of it is found when it is made, from what is known of its children.  A new
    kind derives from :class:`Derived`, if it has any, and says what `parts` of them a selection
    falls into, or what is computed of them by `needs` and `computed`; and how it is
    `rebuilt` of others.  The rest has a default that asks the children, or promises nothing.

    Attributes
    ----------
    children : tuple of Node
        What it is made of.
    shape : tuple of int
    dtype : dtype
    masked : bool
        Whether values can be missing: static, from metadata and operations.
    fill_value : object
        What a missing value is shown as; None for NumPy's default.
    needs_reduction : bool
        Whether there is a reduction in it, which must be computed first.
    combined : bool
        Whether it is computed from several nodes, or from whole axes: what is not
        is read piece by piece, and each piece is changed for itself.
    """

    __slots__ = ()

    children: tuple[Node, ...] = ()
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    masked: bool
    fill_value: Any = None
    needs_reduction: bool = False
    combined: bool = False
    of_blocks: bool = False
    """Whether it is computed of whole axes, or blocks: a few of its values may take many others."""

    known_grid: Chunks | None = None
    """The grid, if that has been asked for; else `UNKNOWN`."""

    @property
    def grid(self) -> Chunks | None:
        """For each axis the chunk length or the lengths of all chunks, if known."""
        if self.known_grid is UNKNOWN:
            for node in ordered([self], _without_grid):
                node.known_grid = node.cut()  # type: ignore[misc]  # it has a slot for it
        return self.known_grid

    def cut(self) -> Chunks | None:
        """Return the natural chunks, if known, from those of the children."""
        return None

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        """Return the same of other nodes, of the shapes and dtypes of the children."""
        raise NotImplementedError  # what has no children is never asked

    @property
    def inner(self) -> tuple[Node, ...]:
        """The children that are rewritten with this: not those of which there may be 2^18."""
        return self.children

    @property
    def read_from(self) -> tuple[Node, ...]:
        """What it is read from: its children; of a grid of tiles the first stands for all."""
        return self.children

    @property
    def signature(self) -> Any:
        """What is equal for nodes that are the same if their children are."""
        return (type(self), id(self))

    # What is read, and computed

    def pushdown(self, selection: Selection) -> Node | Generator[Any, Node, Node] | None:
        """Hand a non-empty selection down, as far as it goes: the rule of `cut_out`.

        A pair of a child and a selection of it is answered by what is cut out of that.
        None: there is nothing to hand it down to.
        """
        return None

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterable[Piece | NodePart]:
        """Yield what a non-empty selection of this node falls into: all pieces, or all `NodePart`.

        Parameters
        ----------
        selection : Selection
            What is wanted of this node.
        out_selection : Selection
            Where that goes; over the same dims.
        steps : Steps
            What is to be done to the values afterwards.
        """
        raise NotImplementedError

    def needs(self, selection: Selection) -> Sequence[tuple[Node, Selection]] | None:
        """Return of which values a selection is computed at once; None if it falls into parts."""
        return None

    def computed(self, blocks: Sequence[Values], free: bool = False) -> Values:
        """Compute a selection from the values that it `needs`.

        Parameters
        ----------
        blocks : sequence of ndarray or MaskedArray
            One of each; they broadcast.
        free : bool
            Whether the only one may be written over.
        """
        raise NotImplementedError  # of what needs some at once

    @property
    def owns_data(self) -> bool:
        """Whether what it computes always lies in memory of its own."""
        return False

    @property
    def streams(self) -> bool:
        """Whether values that follow one another in C order can be read for their part of all."""
        return False

    def stream(self, selection: Selection) -> Stream:
        """Return what reads a non-empty selection of a node that `streams`, run by run.

        It lies within one tile, if the node is a mosaic.
        """
        raise NotImplementedError  # few nodes stream, and no other is asked

    @property
    def is_cut(self) -> bool:
        """Whether chunks of its children are shorter than axes that it needs whole."""
        return False

    # What is planned by: rules of a walk

    def tile_edges(self) -> tuple[Lengths, ...] | Generator[Any, Any, tuple[Lengths, ...]]:
        """Give for each axis the length, or the lengths, of the tiles that this is made of.

        What is computed of a tile stands on its own, and can be used again when the mosaic
        has grown: so no reduction block lies across an edge of tiles, and partial results are
        merged tile by tile.
        """
        return tuple([max(1, n) for n in self.shape])

    def io_bound(self) -> bool | Generator[Any, bool, bool]:
        """Tell whether to read it is to wait for something."""
        return any_answer(self.children)

    def in_memory(self) -> bool | Generator[Any, bool, bool]:
        """Tell whether all that it is made of is in memory."""
        return False

    def told(self, selection: Selection) -> Iterable[Told]:
        """Yield what tells a non-empty selection from others: texts, reads and other nodes.

        Raises
        ------
        Unknown
            If it cannot be said: then nothing that comes of it is kept.
        """
        yield f"pieces {self.dtype!r} {selection.shape}"
        for piece in pieces_of(self, selection, Selection.identity(selection.shape)):
            yield from told_of_piece(piece)

    def __reduce__(self) -> Any:
        return unpacked_one, (packed([self]),)


class Derived(Node):
    """A node that is made of others.

    Parameters
    ----------
    children : tuple of Node
    shape : tuple of int
    dtype : dtype
    masked : bool, optional
        As one of the children, if not given.
    fill_value : object, optional
    combined : bool
        Whether several children, or whole axes, are computed with.
    """

    __slots__ = (
        "children",
        "combined",
        "dtype",
        "fill_value",
        "known_grid",
        "masked",
        "needs_reduction",
        "shape",
    )

    def __init__(
        self,
        children: tuple[Node, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        masked: bool | None = None,
        fill_value: Any = None,
        combined: bool = False,
    ) -> None:
        self.children = children
        self.shape = shape
        self.dtype = dtype
        self.fill_value = fill_value
        self.masked = any(map(_is_masked, children)) if masked is None else masked
        self.needs_reduction = any(map(_needs_reduction, children))
        self.combined = combined or any(map(_is_combined, children))
        self.known_grid = UNKNOWN


class OfOne(Derived):
    """A node that is made of one other."""

    __slots__ = ()

    @property
    def operand(self) -> Node:
        """What it is made of."""
        return self.children[0]


def _without_grid(node: Node) -> Sequence[Node]:
    return [child for child in node.children if child.known_grid is UNKNOWN]
