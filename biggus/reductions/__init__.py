"""Reductions: nodes of statistics, by the names and the signatures that NumPy gives them.

Which axes are meant, and what is refused, is asked of NumPy's own function, with an
array of one element.
"""

from biggus.reductions.nodes import histogram, histogram_edges, reduction

__all__ = ["histogram", "histogram_edges", "reduction"]
