"""Reductions: statistics of a node, along some of its axes or all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus import statistics
from biggus.graph.base import Node, OfOne
from biggus.graph.reduced import pushdown_reduced, reduced_grid, reduced_shape

if TYPE_CHECKING:
    from collections.abc import Generator

    from biggus.indexing.selection import Selection
    from biggus.sources.base import Chunks


class Reduce(OfOne):
    """A statistic of a node along some of its axes.

    It is computed block by block in a pass over the data, so it has no pieces of its own:
    before anything is read its values take its place.

    Parameters
    ----------
    operand : Node
        What is reduced.
    name : str
        The statistic, by its name in :mod:`biggus.statistics`.
    axes : tuple of int
        The axes that are reduced, ascending.
    keepdims : bool
        Whether those stay, at length one.
    **parameters
        What the statistic takes.

    Raises
    ------
    TypeError, ValueError
        As NumPy raises of such an array.
    """

    __slots__ = ("axes", "keepdims", "name", "parameters", "statistic")

    def __init__(
        self,
        operand: Node,
        name: str,
        axes: tuple[int, ...],
        keepdims: bool = False,
        **parameters: Any,
    ) -> None:
        self.name = name
        self.axes = axes
        self.keepdims = keepdims
        self.parameters = parameters
        self.statistic = statistics.statistic(
            name, operand.dtype, operand.masked, operand.shape, axes, **parameters
        )
        shape = reduced_shape(operand.shape, axes, keepdims) + self.statistic.shape
        dtype = self.statistic.dtype
        fill_value = operand.fill_value if dtype == operand.dtype else None
        super().__init__((operand,), shape, dtype, self.statistic.masked, fill_value)
        self.needs_reduction = True

    def natural_grid(self) -> Chunks | None:
        return reduced_grid(self.operand, self.axes, self.keepdims, self.statistic.shape)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Reduce(children[0], self.name, self.axes, self.keepdims, **self.parameters)

    @property
    def signature(self) -> Any:
        return (Reduce, self.statistic, self.axes, self.keepdims)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node] | None:
        # Of what has axes of its own, those are computed as a whole.
        whole = len(self.axes) == len(self.operand.shape) and self.statistic.shape
        return None if whole else pushdown_reduced(self, selection)
