"""The base class of nodes."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from biggus.graph.identifying import Identifier, piece_identifiers, text_of_dtype
from biggus.graph.pickling import packed, unpacked_one
from biggus.graph.pieces import NodePart, Piece, Steps, pieces_of
from biggus.graph.walk import any_answer, ordered
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    import numpy as np

    from biggus.indexing.grid import Lengths
    from biggus.sources.base import Chunks, Stream, Values

_is_masked = attrgetter("masked")

UNKNOWN: Any = ...
"""The `known_grid` of a node before its grid is first computed; the same in any process."""


class Node:  # no ABC: isinstance is much faster then
    """A lazy expression; immutable.

    Metadata follow from those of the children when a node is made.  A new kind of node derives
    from :class:`Derived`, if it has children.  It defines `rebuild`, and either `parts`, if a
    selection falls into parts of the children, or `needs` and `computed`, if it is computed from
    selections of them.  All other methods have defaults.

    Attributes
    ----------
    children : tuple of Node
        The nodes that it is computed from.
    shape : tuple of int
    dtype : dtype
    masked : bool
        Whether values can be missing; follows from metadata and operations alone.
    fill_value : object
        The fill value of a masked result; None for NumPy's default.
    needs_reduction : bool
        Whether it contains a reduction, which must be computed first.
    combined : bool
        Whether it is computed from several nodes, or from whole axes.  Other nodes are read piece
        by piece, with steps applied to each piece.
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
    """Whether it is computed from whole axes or blocks, so that a few values may need many."""

    known_grid: Chunks | None = None
    """The grid, once it has been computed; until then `UNKNOWN`."""

    @property
    def grid(self) -> Chunks | None:
        """For each axis the chunk length or the lengths of all chunks, if known."""
        if self.known_grid is UNKNOWN:
            for node in ordered([self], _without_grid):
                node.known_grid = node.natural_grid()  # type: ignore[misc]  # it has a slot for it
        return self.known_grid

    def natural_grid(self) -> Chunks | None:
        """Return the chunks that follow from the grids of the children; None for any."""
        return None

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        """Return the same operation on other nodes, of the children's shapes and dtypes."""
        raise NotImplementedError  # not called on nodes without children

    @property
    def inner(self) -> tuple[Node, ...]:
        """The children that walks go to; none of a mosaic that may have 2^18 of them."""
        return self.children

    @property
    def read_from(self) -> tuple[Node, ...]:
        """The children; of a grid of tiles that are made on demand, the first tile."""
        return self.children

    @property
    def signature(self) -> Any:
        """A hashable that nodes share if they are equal whenever their children are."""
        return (type(self), id(self))

    # Reading and computing

    def pushdown(self, selection: Selection) -> Node | Generator[Any, Node, Node] | None:
        """Push a non-empty selection down to the children: the rule of `CutOut`.

        Returns a node of the selected values; or a generator that yields pairs of a child and a
        selection, is sent their nodes, and returns the node.  None if the selection cannot be
        pushed down.
        """
        return None

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterable[Piece | NodePart]:
        """Yield the parts of a non-empty selection: either all pieces, or all `NodePart`.

        Parameters
        ----------
        selection : Selection
            The wanted elements of this node.
        out_selection : Selection
            The elements of the result that they go to; over the same dims.
        steps : Steps
            The steps that are applied to the values.
        """
        raise NotImplementedError

    def needs(self, selection: Selection) -> Sequence[tuple[Node, Selection]] | None:
        """Return the selections of the children that a selection is computed from.

        None if the node is read by `parts`.
        """
        return None

    def computed(self, blocks: Sequence[Values], free: bool = False) -> Values:
        """Compute a selection from the values that it `needs`.

        Parameters
        ----------
        blocks : sequence of ndarray or MaskedArray
            The values of each; they broadcast.
        free : bool
            Whether the only block may be overwritten.
        """
        raise NotImplementedError  # only called if `needs` returns selections

    @property
    def owns_data(self) -> bool:
        """Whether nothing else refers to the arrays that it computes."""
        return False

    @property
    def streams(self) -> bool:
        """Whether runs of values in C order can be read, each at a cost in proportion to it."""
        return False

    def stream(self, selection: Selection) -> Stream:
        """Return a stream of a non-empty selection, which lies within one tile of a mosaic."""
        raise NotImplementedError  # only called if `streams`

    @property
    def is_cut(self) -> bool:
        """Whether chunks of its children are shorter than axes that it needs whole."""
        return False

    # Rules of a walk, for planning

    def tile_edges(self) -> tuple[Lengths, ...] | Generator[Any, Any, tuple[Lengths, ...]]:
        """Return for each axis the length, or the lengths, of the tiles of this node.

        No reduction block lies in two tiles, and partial results are merged tile by tile, so that
        the results of a tile can be used again when the mosaic has grown.
        """
        return tuple([max(1, n) for n in self.shape])

    def io_bound(self) -> bool | Generator[Any, bool, bool]:
        """Return whether reading it waits for a disk or a server."""
        return any_answer(self.children)

    def in_memory(self) -> bool | Generator[Any, bool, bool]:
        """Return whether all values that it is computed from are in memory."""
        return False

    def identifiers(self, selection: Selection) -> Iterable[Identifier]:
        """Yield texts, reads and other nodes that identify a non-empty selection in any process.

        Raises
        ------
        Unknown
            If it has no identifiers; results that are computed from it are not cached then.
        """
        yield f"pieces {text_of_dtype(self.dtype)} {selection.shape}"
        for piece in pieces_of(self, selection, Selection.identity(selection.shape)):
            yield from piece_identifiers(piece)

    def __reduce__(self) -> Any:
        return unpacked_one, (packed([self]),)


class Derived(Node):
    """A node with children.

    Parameters
    ----------
    children : tuple of Node
    shape : tuple of int
    dtype : dtype
    masked : bool, optional
        Whether values can be missing; by default, whether those of a child can.
    fill_value : object, optional
    combined : bool
        Whether it is computed from several children, or from whole axes.
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
        needs_reduction = False
        for child in children:
            needs_reduction = needs_reduction or child.needs_reduction
            combined = combined or child.combined
        self.needs_reduction = needs_reduction
        self.combined = combined
        self.known_grid = UNKNOWN


class OfOne(Derived):
    """A node with one child."""

    __slots__ = ()

    @property
    def operand(self) -> Node:
        """The child."""
        return self.children[0]


def _without_grid(node: Node) -> Sequence[Node]:
    return [child for child in node.children if child.known_grid is UNKNOWN]
