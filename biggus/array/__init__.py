"""`Array`: the interface of NumPy over a node."""

from biggus.array.array import Array
from biggus.array.handlers import add_loader, implements, implements_method

__all__ = ["Array", "add_loader", "implements", "implements_method"]
