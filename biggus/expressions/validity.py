"""Masks as values: nodes of where values are valid, and values masked by such nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.graph import BaseStep, Elementwise, Node
from biggus.sources.base import Values


class Valid(BaseStep):
    """Returns where values are valid."""

    fills = True
    dtype = np.dtype(bool)
    key = "valid()"

    def __call__(self, values: Values) -> Values:
        """Return where values are not missing."""
        return ~np.ma.getmaskarray(values)


class ValidWhere(BaseStep):
    """Masks values where a condition is false."""

    masked = True
    key = "valid where"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values, there: Values) -> Values:
        """Return values, masked where `there` is false."""
        shape = np.broadcast_shapes(values.shape, there.shape)
        mask = ~np.broadcast_to(there, shape)
        return np.ma.MaskedArray(np.broadcast_to(values, shape), mask=mask)


def valid(node: Node) -> Node:
    """Return the node of where values are not missing."""
    return Elementwise(Valid(), node)


def valid_where(node: Node, there: Node) -> Node:
    """Return the node of values that are masked where another node is false."""
    return Elementwise(ValidWhere(node.dtype), node, there)
