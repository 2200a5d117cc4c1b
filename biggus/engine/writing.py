"""Writing: what takes the values of a node, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from biggus.sources.base import Box, Chunks, Values


class Writer(Protocol):
    """What values are handed over to: each element once, in any order of blocks."""

    shape: tuple[int, ...]

    grid: Chunks | None
    """Blocks are whole unions of these chunks, cut short at the edges; None: any box."""

    concurrent: bool
    """Whether disjoint boxes may be written from several threads at once."""

    def write(self, box: Box, values: Values) -> None:
        """Take the values of a box.

        Parameters
        ----------
        box : tuple of slice
            Of full rank, in bounds, of step 1.
        values : ndarray or MaskedArray
            Of the shape of the box and the dtype of the node; not to be written to.
        """
