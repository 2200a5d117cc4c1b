"""The array: NumPy's manners over a node."""

from biggus.array.array import Array
from biggus.array.handlers import implements, implements_method, offer

__all__ = ["Array", "implements", "implements_method", "offer"]
