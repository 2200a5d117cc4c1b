"""`labels_of`: the labels of an expression, derived from the labels of its sources."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from biggus.errors import BiggusError
from biggus.graph import Node, Walk
from biggus.labels.labels import Labels
from biggus.labels.rules import rule

_log = logging.getLogger("biggus.labels")


def labels_of(node: Node, coordinates: bool = False) -> Labels:
    """Return the labels of a node.

    No values are read.  With `coordinates`, the metadata of their variables is read.
    """
    [labels] = labels_of_all([node], coordinates)
    return labels


def labels_of_all(nodes: Iterable[Node], coordinates: bool) -> list[Labels]:
    """Return the labels of several nodes; the metadata of each source are read once."""
    walk: Walk[Labels] = Walk(lambda node: rule(node, coordinates))
    return [_followed(node, walk, coordinates) for node in nodes]


def _followed(node: Node, walk: Walk[Labels], coordinates: bool) -> Labels:
    try:
        return walk(node)
    except BiggusError as error:
        if not coordinates:
            raise
        _log.info("no coordinates: %s", error)
        return Labels((None,) * len(node.shape))
