"""Writers: targets of the values of a node, which are written block by block."""

from __future__ import annotations

from typing import Protocol

from biggus.sources.base import Box, Chunks, Values


class Writer(Protocol):
    """A target of values: each element is written once, blocks in any order."""

    shape: tuple[int, ...]

    grid: Chunks | None
    """Boxes that are written are unions of these chunks; None if any box can be written."""

    concurrent: bool
    """Whether disjoint boxes may be written from several threads at once."""

    def write(self, box: Box, values: Values) -> None:
        """Write the values of a box.

        Parameters
        ----------
        box : tuple of slice
            Of full rank, in bounds, of step 1.
        values : ndarray or MaskedArray
            Of the shape of the box and the dtype of the node; must not be modified.
        """
