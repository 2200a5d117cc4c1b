"""Expressions: nodes of NumPy's elementwise functions, applied to other nodes.

The function is called with empty arrays to find the dtype of the result, or the error, so
promotion, casting and errors are NumPy's.
"""

from biggus.expressions.apply import Apply, applied, applied_each
from biggus.expressions.names import text_of
from biggus.expressions.operands import defers, operand
from biggus.expressions.ufuncs import called

__all__ = [
    "Apply",
    "applied",
    "applied_each",
    "called",
    "defers",
    "operand",
    "text_of",
]
