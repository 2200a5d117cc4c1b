"""Reductions: statistics of a node, along some of its axes or all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.nodes.base import Node, Piece
from biggus.nodes.reduced import reduced_grid, reduced_shape, restricted
from biggus.nodes.view import select

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from biggus.nodes.step import Step
    from biggus.region import Selection
    from biggus.source import Chunks


class Reduce(Node):
    """A statistic of a node along some of its axes.

    It is computed cell by cell in a pass over the data, so it has no pieces of
    its own: before anything is read its values take its place.

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

    __slots__ = ("axes", "keepdims", "name", "operand", "parameters", "shape", "statistic")

    def __init__(
        self,
        operand: Node,
        name: str,
        axes: tuple[int, ...],
        keepdims: bool = False,
        **parameters: Any,
    ) -> None:
        from biggus.statistics import statistic  # takes as long to load as all else

        self.operand = operand
        self.name = name
        self.axes = axes
        self.keepdims = keepdims
        self.parameters = parameters
        self.statistic = statistic(
            name, operand.dtype, operand.masked, operand.shape, axes, **parameters
        )
        self.shape = reduced_shape(operand.shape, axes, keepdims) + self.statistic.shape

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of the statistic."""
        return self.statistic.dtype

    @property
    def masked(self) -> bool:
        return self.statistic.masked

    @property
    def fill_value(self) -> Any:
        return self.operand.fill_value if self.dtype == self.operand.dtype else None

    @property
    def grid(self) -> Chunks | None:
        return reduced_grid(self.operand, self.axes, self.keepdims, self.statistic.shape)

    @property
    def staged(self) -> bool:
        return True

    def over(self, operand: Node) -> Reduce:
        """Return the same statistic of another node of the same rank."""
        return Reduce(operand, self.name, self.axes, self.keepdims, **self.parameters)

    def within(self, get: Selection) -> Node:
        if self.statistic.shape:
            return select(self, get)
        operand, rest = restricted(self.operand, self.axes, self.keepdims, get)
        return select(self.over(operand), rest)

    def pieces(
        self,
        get: Selection,  # noqa: ARG002
        put: Selection,  # noqa: ARG002
        steps: tuple[Step, ...] = (),  # noqa: ARG002
    ) -> Iterator[Piece]:
        raise AssertionError("the values of a reduction take its place before anything is read")
