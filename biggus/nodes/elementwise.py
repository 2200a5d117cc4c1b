"""Elementwise nodes: each value computed from one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.nodes.base import Node, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from biggus.nodes.step import Step
    from biggus.region import Selection
    from biggus.source import Chunks


class Elementwise(Node):
    """A step applied to each value of a node.

    Parameters
    ----------
    base : Node
        Where the values come from.
    step : Step
        What is done to each.
    """

    __slots__ = ("base", "step")

    def __init__(self, base: Node, step: Step) -> None:
        self.base = base
        self.step = step

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of the base."""
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of the results."""
        return self.step.dtype

    @property
    def masked(self) -> bool:
        return self.base.masked or self.step.masked

    @property
    def fill_value(self) -> Any:
        own = self.step.fill_value
        if own is not None or self.dtype != self.base.dtype:
            return own
        return self.base.fill_value

    @property
    def grid(self) -> Chunks | None:
        return self.base.grid

    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        return self.base.pieces(get, put, (self.step, *steps))
