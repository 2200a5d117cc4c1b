"""Expressions: nodes made by applying NumPy's own functions to others, value by value.

Which dtype comes of it, and what is refused, is asked of the function itself,
with arrays of no elements; so promotion, casting and errors are NumPy's.
"""

from biggus.expressions.apply import Apply, applied
from biggus.expressions.functions import clip, imag, real, rounded, where
from biggus.expressions.names import text_of
from biggus.expressions.operands import defers, operand
from biggus.expressions.ufuncs import called

__all__ = [
    "Apply",
    "applied",
    "called",
    "clip",
    "defers",
    "imag",
    "operand",
    "real",
    "rounded",
    "text_of",
    "where",
]
