"""Nodes: which values, as a lazy expression over sources; nothing here reads.

A node knows its shape and dtype, whether values can be missing, and how a
selection of it falls into pieces, each of which one source gives in one read.
"""

from biggus.nodes.base import Node, Piece
from biggus.nodes.elementwise import Elementwise
from biggus.nodes.leaf import Leaf
from biggus.nodes.mosaic import GridMosaicNode, Mosaic
from biggus.nodes.step import Cast, Field, Step, completed
from biggus.nodes.view import View, select

__all__ = [
    "Cast",
    "Elementwise",
    "Field",
    "GridMosaicNode",
    "Leaf",
    "Mosaic",
    "Node",
    "Piece",
    "Step",
    "View",
    "completed",
    "select",
]
