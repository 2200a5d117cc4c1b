"""`Array`: the interface of NumPy over a node."""

from biggus.array.array import Array
from biggus.array.handlers import implements

__all__ = ["Array", "implements"]
