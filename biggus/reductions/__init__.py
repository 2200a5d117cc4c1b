"""Reductions: nodes of statistics, with NumPy's names, signatures and errors."""

from biggus.reductions.nodes import histogram, histogram_edges, reduction

__all__ = ["histogram", "histogram_edges", "reduction"]
