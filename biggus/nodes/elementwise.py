"""Elementwise nodes: each value computed from one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from biggus.nodes.base import Node, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from biggus.region import Selection
    from biggus.source import Chunks, Values


class Step(Protocol):
    """What is done to each value; picklable, and the same for every block."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the results."""

    @property
    def masked(self) -> bool:
        """Whether it can make values missing."""

    @property
    def fill_value(self) -> Any:
        """What a missing result is shown as; None to keep what it was."""

    def __call__(self, values: Values, /) -> Values:
        """Return the results for a block, in its shape."""


class Cast:
    """Values of another dtype, as ``astype`` gives them."""

    masked = False
    fill_value = None

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values) -> Values:
        cast: Values = values.astype(self.dtype, copy=False)
        return cast


class Field:
    """One field, or several, of structured values."""

    masked = False
    fill_value = None

    def __init__(self, dtype: np.dtype[Any], names: str | list[str]) -> None:
        self.names = names
        self.dtype = dtype[names]

    def __call__(self, values: Values) -> Values:
        field: Values = values[self.names]
        return field


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
