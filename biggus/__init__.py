"""Arrays bigger than your machine, over stores that already exist.

Wrap anything that has ``shape``, ``dtype`` and ``__getitem__``, join pieces
into one array, slice it as NumPy does: nothing is read until ``.ndarray()``,
and then the chunks that are needed and no others.
"""

from biggus import errors, options
from biggus.api import open, open_many
from biggus.array import Array
from biggus.cache import Cache
from biggus.construct import (
    ArrayAdapter,
    ArrayStack,
    ConstantArray,
    GridMosaic,
    LinearMosaic,
    broadcast_to,
    full,
    ones,
    transpose,
    zeros,
)
from biggus.errors import BiggusError, SourceError
from biggus.options import set_options

__version__ = "1.0.0a1"

__all__ = [
    "Array",
    "ArrayAdapter",
    "ArrayStack",
    "BiggusError",
    "Cache",
    "ConstantArray",
    "GridMosaic",
    "LinearMosaic",
    "SourceError",
    "broadcast_to",
    "errors",
    "full",
    "ones",
    "open",
    "open_many",
    "options",
    "set_options",
    "transpose",
    "zeros",
]
