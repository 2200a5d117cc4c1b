"""Reductions: nodes of statistics, by the names and the signatures that NumPy gives them.

Which axes are meant, and what is refused, is asked of NumPy's own function, with an
array of one element.
"""

from biggus.reductions.axes import NOT_GIVEN, refuse
from biggus.reductions.table import REDUCTIONS, histogram, histogram_edges

__all__ = ["NOT_GIVEN", "REDUCTIONS", "histogram", "histogram_edges", "refuse"]
