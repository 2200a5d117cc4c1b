"""The encoding of an array whose values are stored: dtype, chunks, compression and packing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biggus.cf import PACKING
from biggus.graph import Elementwise, Leaf, Mosaic, Node, View
from biggus.labels.rules import SAME_VALUES
from biggus.labels.varying import Varying
from biggus.sources.base import Source


def encoding_of(node: Node) -> Mapping[str, Any]:
    """Return the encoding of a node; empty if its values are computed.

    Joined arrays have the encoding of the first.
    """
    while not isinstance(node, Leaf):
        if isinstance(node, View):
            node = node.base
        elif isinstance(node, Mosaic) and node.tiles:
            node = node.tiles[0]
        elif isinstance(node, Elementwise) and isinstance(node.step, (*SAME_VALUES, Varying)):
            node = node.children[0]
        else:
            return {}
    source = node.origin
    if not isinstance(source, Source) or source.token is None:
        return {}
    packing = {name: value for name, value in source.attributes.items() if name in PACKING}
    return {
        "dtype": source.dtype,
        "chunks": source.chunks,
        "compression": source.compression,
        "unlimited": source.unlimited,
        **packing,
    }
