"""A kind of node that biggus lacks, which shows how to add one."""

from __future__ import annotations

from dataclasses import replace

from biggus.graph import Derived, NodePart
from biggus.indexing.grid import IrregularEdges
from biggus.indexing.resolve import split
from biggus.labels.rules import rule


class Rolled(Derived):
    """A node whose values are rolled along an axis, as by `numpy.roll`."""

    __slots__ = ("axis", "shift")

    def __init__(self, operand, shift, axis):
        super().__init__((operand,), operand.shape, operand.dtype, fill_value=operand.fill_value)
        self.shift = shift % max(1, operand.shape[axis])
        self.axis = axis

    def rebuild(self, children):
        return Rolled(children[0], self.shift, self.axis)

    @property
    def signature(self):
        return (Rolled, self.shift, self.axis)

    def parts(self, selection, out_selection, steps=None):
        [operand] = self.children
        length = self.shape[self.axis]
        edges = IrregularEdges.of_lengths([self.shift, length - self.shift])
        for number, part, part_out in split(selection, out_selection, self.axis, edges):
            offset = self.shift if number else self.shift - length
            yield NodePart(operand, part.shift(self.axis, offset), part_out, steps)


@rule.register(Rolled)
def labels_of_rolled(node, _):
    """Keep all labels but the coordinates, which would need to be rolled too."""
    return replace((yield node.children[0]), coordinates=())
