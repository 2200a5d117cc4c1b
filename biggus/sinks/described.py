"""What is known of the values of an expression: the names of its axes, its attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.cf import Decoder
from biggus.graph import (
    AlongAxes,
    Cast,
    Elementwise,
    Filled,
    Leaf,
    Maskable,
    Mosaic,
    Node,
    Reduce,
    View,
    Walk,
    answers,
)
from biggus.indexing.selection import ArrayMap, ConstantMap, Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

_SAME_VALUES = (Cast, Decoder, Filled, Maskable)
"""Steps that leave values what they are values of."""

_NAMES = 8
"""Of so many operands and tiles the names are asked for, at each level."""


class Described(NamedTuple):
    """What the store that a node reads says of its variable."""

    attributes: Mapping[str, Any]
    decoded: bool
    """Whether the values were unpacked since: what tells of packing is not true any more."""

    default_fills: bool
    """Whether the netCDF library's default fill values mean missing ones."""

    packed_fill: bool = False
    """Whether the node's fill value is one of packed values, and of no meaning among its own."""


def described(node: Node) -> Described:
    """Return what is said of the values of a node that are those of one variable.

    Of what was computed nothing is known: the mean of a temperature is one,
    its square is none.
    """
    decoded = packed_fill = False
    while not isinstance(node, Leaf):
        if isinstance(node, View):
            node = node.base
        elif isinstance(node, Elementwise) and isinstance(node.step, _SAME_VALUES):
            decoded = True
            if isinstance(node.step, Decoder):
                packed_fill = (node.step.scale, node.step.offset) != (None, None)
            node = node.children[0]
        else:
            return Described({}, True, False)
    source = node.source
    default_fills = source.conventions == "CF"
    return Described(source.attributes, decoded or node.masked, default_fills, packed_fill)


def dims_of(node: Node) -> tuple[str, ...]:
    """Return the names of the axes of a node: those of its sources, as far as they have any."""
    walk: Walk[list[str | None]] = Walk(_dims)
    found = walk(node)
    return tuple([f"dim_{axis}" if name is None else name for axis, name in enumerate(found)])


def _dims(node: Node) -> Generator[Any, list[str | None], list[str | None]]:
    if isinstance(node, Leaf):
        dims = node.source.dims
        if dims is not None and len(dims) == len(node.shape):
            return [str(name) for name in dims]
    elif isinstance(node, View):
        return names_through(node.selection, (yield node.base))
    elif isinstance(node, (Elementwise, Mosaic)):
        return _first_known((yield from answers(node.children[:_NAMES])))
    elif isinstance(node, (Reduce, AlongAxes)):
        names = yield node.operand
        if not node.keepdims:
            names = [name for axis, name in enumerate(names) if axis not in node.axes]
        if len(names) == len(node.shape):
            return names
    return [None] * len(node.shape)


def _first_known(several: list[list[str | None]]) -> list[str | None]:
    return [
        next((name for name in names if name is not None), None)
        for names in zip(*several, strict=True)
    ]


def names_through(selection: Selection, names: Sequence[str | None]) -> list[str | None]:
    """Return the names of the axes of a selection.

    An axis that comes from one axis keeps its name, any other has none.

    Examples
    --------
    >>> names_through(Selection.permuted((9, 4), (1, 0)), ["y", "x"])
    ['x', 'y']
    """
    found: list[str | None] = [None] * len(selection.shape)
    for name, m in zip(names, selection.maps, strict=True):
        if isinstance(m, ConstantMap):
            continue
        if isinstance(m, ArrayMap):
            if len(m.dims) == 1:
                found[m.dims[0]] = name
        else:
            found[m.dim] = name
    return found
