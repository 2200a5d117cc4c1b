"""Nodes: which values, as a lazy expression over sources; nothing here reads.

A node knows its shape and dtype, whether values can be missing, and how a
selection of it falls into pieces, each of which one source gives in one read.
"""

from biggus.nodes.along import AlongAxes
from biggus.nodes.base import Derived, Node
from biggus.nodes.elementwise import Elementwise, is_spread, narrowed
from biggus.nodes.leaf import LONGEST_READ, Leaf
from biggus.nodes.mosaic import GridMosaicNode, Mosaic
from biggus.nodes.packing import Packed, packed, unpacked
from biggus.nodes.pieces import Combination, Part, Piece, Read, pieces_of, spread, take
from biggus.nodes.reduce import Reduce
from biggus.nodes.step import Cast, Field, Filled, Maskable, Step, completed
from biggus.nodes.telling import Told, Unknown, text_of
from biggus.nodes.view import CutOut, View, select
from biggus.nodes.walk import Walk, answers, key_of, ordered, rebuilt

__all__ = [
    "LONGEST_READ",
    "AlongAxes",
    "Cast",
    "Combination",
    "CutOut",
    "Derived",
    "Elementwise",
    "Field",
    "Filled",
    "GridMosaicNode",
    "Leaf",
    "Maskable",
    "Mosaic",
    "Node",
    "Packed",
    "Part",
    "Piece",
    "Read",
    "Reduce",
    "Step",
    "Told",
    "Unknown",
    "View",
    "Walk",
    "answers",
    "completed",
    "is_spread",
    "key_of",
    "narrowed",
    "ordered",
    "packed",
    "pieces_of",
    "rebuilt",
    "select",
    "spread",
    "take",
    "text_of",
    "unpacked",
]
