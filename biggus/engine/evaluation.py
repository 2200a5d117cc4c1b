"""Evaluating: nodes to values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.engine import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.nodes import Node
    from biggus.source import Values


def evaluate(node: Node) -> Values:
    """Read and compute all of a node."""
    return reading.whole(node)


def evaluate_all(nodes: Sequence[Node]) -> list[Values]:
    """Read and compute all of several nodes together."""
    return [evaluate(node) for node in nodes]
