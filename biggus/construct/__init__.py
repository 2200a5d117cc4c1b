"""Constructors of lazy arrays: from objects, from other arrays, or from one value."""

from biggus.construct.adapter import ArrayAdapter
from biggus.construct.constant import ConstantArray, full, ones, zeros
from biggus.construct.mosaics import ArrayStack, GridMosaic, LinearMosaic
from biggus.construct.views import broadcast_to, transpose

__all__ = [
    "ArrayAdapter",
    "ArrayStack",
    "ConstantArray",
    "GridMosaic",
    "LinearMosaic",
    "broadcast_to",
    "full",
    "ones",
    "transpose",
    "zeros",
]
