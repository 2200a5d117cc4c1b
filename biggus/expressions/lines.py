"""Functions of lines: of all values along the last axis, applied at each place of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from biggus.expressions.names import call_of
from biggus.graph import BaseStep, Gufunc, Node
from biggus.sources.base import Values


class Lines(BaseStep):
    """A NumPy function along the last axis of blocks.

    Parameters
    ----------
    function : callable
        A function of an ndarray and an ``axis``.
    keywords : mapping
        Its other keyword arguments.
    dtype : dtype
        The dtype of the results.
    of_masked : callable, optional
        The function of masked blocks; None if values cannot be missing.
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
        """A text that equal steps share; None if there is none."""
        return call_of(self.function, (), self.keywords)

    def __call__(self, block: Values) -> Values:
        """Return the results of a block."""
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
    """Return the node of a function along the last axis of a node.

    Parameters
    ----------
    node : Node
    function, keywords, dtype, of_masked
        As of :class:`Lines`.
    core : tuple of int
        The lengths of the axes that replace the last axis.

    Raises
    ------
    TypeError
        If values can be missing, and there is no function of masked blocks.
    """
    if node.masked and of_masked is None:
        raise TypeError(
            f"{function.__name__} of a lazy array whose values can be missing: "
            "call .masked_array() or .filled(...) first"
        )
    step = Lines(function, keywords, dtype, of_masked if node.masked else None)
    return Gufunc(step, [node], [1], core)
