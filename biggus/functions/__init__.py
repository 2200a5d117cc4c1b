"""Functions of arrays, as NumPy names them: lazy, and what NumPy's own hand over to.

Each takes an :class:`~biggus.Array`, or anything that becomes one, and returns one
that is computed when it is read.
"""

from biggus.functions import axes, elementwise, joining, numpys, statistics

__all__ = ["axes", "elementwise", "joining", "numpys", "statistics"]
