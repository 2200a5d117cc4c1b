"""Nodes: which values, as a lazy expression over sources; nothing here reads.

A node knows its shape and dtype, whether values can be missing, and how a
selection of it falls into pieces, each of which one source gives in one read.
"""

from biggus.nodes.along import AlongAxes
from biggus.nodes.base import Combination, Node, Piece, Read, spread, take
from biggus.nodes.elementwise import Elementwise, is_spread, narrowed
from biggus.nodes.leaf import LONGEST_READ, Leaf
from biggus.nodes.mosaic import GridMosaicNode, Mosaic
from biggus.nodes.reduce import Reduce
from biggus.nodes.step import Cast, Field, Filled, Maskable, Step, completed
from biggus.nodes.view import View, seen_through, select

__all__ = [
    "LONGEST_READ",
    "AlongAxes",
    "Cast",
    "Combination",
    "Elementwise",
    "Field",
    "Filled",
    "GridMosaicNode",
    "Leaf",
    "Maskable",
    "Mosaic",
    "Node",
    "Piece",
    "Read",
    "Reduce",
    "Step",
    "View",
    "completed",
    "is_spread",
    "narrowed",
    "seen_through",
    "select",
    "spread",
    "take",
]
