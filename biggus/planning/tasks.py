"""Tasks: the independent parts of a pass; each can be sent to where it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biggus.planning.rewriting import Interner
from biggus.region import Selection

if TYPE_CHECKING:
    from biggus.grid import Index
    from biggus.nodes import Node
    from biggus.planning.jobs import Cell
    from biggus.source import Box
    from biggus.statistics import Family


class Task(NamedTuple):
    """A block of a group of jobs, and what of it is to be computed."""

    number: int
    """Tasks are numbered in the order in which they begin."""

    box: Box
    """The block."""

    cells: tuple[tuple[Cell, ...], ...]
    """For each reduction of the group those of its cells in the block that are wanted."""

    outputs: tuple[int, ...]
    """Which outputs of the group are wanted."""

    @property
    def idle(self) -> bool:
        """Whether nothing is to be computed: what comes of its cells was kept."""
        return not (self.outputs or any(self.cells))


class Accumulation(NamedTuple):
    """Cells of one reduction."""

    node: int
    """The number of the node that is reduced."""

    axes: tuple[int, ...]
    families: tuple[Family, ...]
    cells: tuple[tuple[Box, Index], ...]
    """For each cell its box within the block, and where it begins in the whole array."""


class Work(NamedTuple):
    """All that is needed to compute a task: small, and picklable if its sources are."""

    nodes: tuple[Node, ...]
    """What is computed, each once: they may have parts in common."""

    get: Selection
    """Which block of them."""

    accumulations: tuple[Accumulation, ...]
    outputs: tuple[int, ...]
    """The numbers of the nodes whose values are wanted."""

    def narrowed(self) -> Work:
        """Return the same work with nodes that hold nothing but the block: to be sent away."""
        intern = Interner()
        nodes = tuple([intern(node.within(self.get)) for node in self.nodes])
        return self._replace(nodes=nodes, get=Selection.identity(self.get.shape))


def within(box: Box, block: Box) -> Box:
    """Return a box that lies in a block, counted from where the block begins."""
    return tuple(
        [slice(s.start - b.start, s.stop - b.start, 1) for s, b in zip(box, block, strict=True)]
    )
