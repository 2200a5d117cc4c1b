"""How the values of an array are stored, where it holds values of a store as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.cf import PACKING
from biggus.graph import Elementwise, Leaf, Mosaic, Node, View
from biggus.labels.rules import SAME_VALUES
from biggus.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Mapping


def encoding_of(node: Node) -> Mapping[str, Any]:
    """Return how the values are stored; nothing, if they were computed.

    Of what was joined, how those of the first are.
    """
    while not isinstance(node, Leaf):
        if isinstance(node, View):
            node = node.base
        elif isinstance(node, Mosaic) and node.tiles:
            node = node.tiles[0]
        elif isinstance(node, Elementwise) and isinstance(node.step, SAME_VALUES):
            node = node.children[0]
        else:
            return {}
    source = node.origin
    if not isinstance(source, Source) or source.token is None:
        return {}
    told = {name: value for name, value in source.attributes.items() if name in PACKING}
    return {
        "dtype": source.dtype,
        "chunks": source.chunks,
        "compression": source.compression,
        "unlimited": source.unlimited,
        **told,
    }
