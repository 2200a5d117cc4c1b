"""Nodes: lazy expressions over sources.

A node knows its shape and dtype, whether values can be missing, and into which pieces a selection
of it falls.  A piece is one read of one source, or a computation.
"""

from biggus.graph.along import AlongAxes
from biggus.graph.base import Derived, Node
from biggus.graph.blockwise import BlockPlace, Blockwise, Reach
from biggus.graph.elementwise import Elementwise, is_spread, unbroadcast
from biggus.graph.gufunc import Gufunc
from biggus.graph.identifying import Identifier, Unknown, text_of, text_of_dtype
from biggus.graph.leaf import LONGEST_READ, Leaf
from biggus.graph.mosaic import GridMosaicNode, Mosaic
from biggus.graph.pickling import Packed, packed, unpacked
from biggus.graph.pieces import Combination, NodePart, Piece, Read, pieces_of, spread, take
from biggus.graph.reduce import Reduce
from biggus.graph.reshape import Reshape
from biggus.graph.step import SLAB, BaseStep, Cast, Field, Filled, Maskable, Step, completed
from biggus.graph.view import CutOut, Rechunked, View, rechunked, select, spread_to
from biggus.graph.walk import Walk, answers, any_answer, key_of, ordered, rebuilt

__all__ = [
    "LONGEST_READ",
    "SLAB",
    "AlongAxes",
    "BaseStep",
    "BlockPlace",
    "Blockwise",
    "Cast",
    "Combination",
    "CutOut",
    "Derived",
    "Elementwise",
    "Field",
    "Filled",
    "GridMosaicNode",
    "Gufunc",
    "Identifier",
    "Leaf",
    "Maskable",
    "Mosaic",
    "Node",
    "NodePart",
    "Packed",
    "Piece",
    "Reach",
    "Read",
    "Rechunked",
    "Reduce",
    "Reshape",
    "Step",
    "Unknown",
    "View",
    "Walk",
    "answers",
    "any_answer",
    "completed",
    "is_spread",
    "key_of",
    "ordered",
    "packed",
    "pieces_of",
    "rebuilt",
    "rechunked",
    "select",
    "spread",
    "spread_to",
    "take",
    "text_of",
    "text_of_dtype",
    "unbroadcast",
    "unpacked",
]
