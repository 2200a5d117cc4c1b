"""Functions of lines: of all values along the last axis, at each place of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.names import call_of
from biggus.graph import BaseStep, Gufunc, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from biggus.sources.base import Values


class Lines(BaseStep):
    """A function of NumPy's along the last axis of blocks.

    Parameters
    ----------
    function : callable
        Of an ndarray and an ``axis``.
    keywords : mapping
        What else it takes.
    dtype : dtype
        Of what it gives.
    of_masked : callable, optional
        What takes blocks of values that can be missing; None: the values cannot be.
    """

    __slots__ = ("dtype", "function", "keywords", "masked", "of_masked")

    def __init__(
        self,
        function: Callable[..., Any],
        keywords: Mapping[str, Any],
        dtype: np.dtype[Any],
        of_masked: Callable[..., Any] | None = None,
    ) -> None:
        self.function = function
        self.keywords = keywords
        self.dtype = dtype
        self.of_masked = of_masked
        self.masked = of_masked is not None

    @property
    def key(self) -> str | None:
        """What is equal for steps that do the same; None if that is not known."""
        return call_of(self.function, (), self.keywords)

    def __call__(self, block: Values) -> Values:
        """Return what it gives of a block."""
        function = self.function
        if self.of_masked is not None and isinstance(block, np.ma.MaskedArray):
            function = self.of_masked
        found: Values = function(block, axis=-1, **self.keywords)
        return found.astype(self.dtype, copy=False)


def of_lines(
    node: Node,
    function: Callable[..., Any],
    keywords: Mapping[str, Any],
    core: tuple[int, ...],
    dtype: np.dtype[Any],
    of_masked: Callable[..., Any] | None = None,
) -> Node:
    """Return the node of a function of the last axis of another.

    Parameters
    ----------
    node : Node
        Where the values come from.
    function, keywords, dtype, of_masked
        As of :class:`Lines`.
    core : tuple of int
        The lengths of the axes that take the place of the last.

    Raises
    ------
    TypeError
        If values can be missing, and it is not known what to do of them.
    """
    if node.masked and of_masked is None:
        raise TypeError(
            f"{function.__name__} of a lazy array whose values can be missing: "
            "call .masked_array() or .filled(...) first"
        )
    step = Lines(function, keywords, dtype, of_masked if node.masked else None)
    return Gufunc(step, [node], [1], core)
