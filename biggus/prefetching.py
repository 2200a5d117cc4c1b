"""Prefetching: reading the chunks of arrays into the cache before they are needed."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from biggus import engine
from biggus.adapt import nodes_of
from biggus.errors import CacheError, PolicyError
from biggus.graph import Leaf, Node, ordered
from biggus.sources.base import Box, Chunks, Values


def prefetch(*arrays: Any) -> None:
    """Fetch the chunks that arrays read into the cache, for use without a network.

    Takes bounded memory, and as many requests at a time as the sources allow.  Chunks that are
    in the cache and still valid are not fetched again, so an interrupted call can be repeated.
    The option ``progress`` shows a bar.

    Parameters
    ----------
    *arrays : Array
        The arrays, such as a slice of a zoom level.

    Raises
    ------
    CacheError
        If a source is neither cached nor in memory.
    PolicyError
        If the operator of a server forbids bulk downloads.
    SourceError
        If a chunk cannot be fetched.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile
    >>> cache = biggus.Cache(tempfile.mkdtemp())
    >>> a = biggus.ArrayAdapter(np.arange(6.0), token="six", cache=cache)
    >>> biggus.prefetch(a)
    >>> cache.stats().entries
    1
    """
    nodes = nodes_of(arrays)
    for node in ordered(nodes, attrgetter("read_from")):
        if not isinstance(node, Leaf) or node.source.in_memory:
            continue
        source = node.source
        if source.no_bulk is not None:
            raise PolicyError(f"{source.name}: {source.no_bulk}")
        if not hasattr(source, "cache"):
            raise CacheError(
                f"{source.name} is not cached, so nothing of it would be kept: open it "
                "with `cache=True`"
            )
    engine.store(nodes, [_Nowhere(node) for node in nodes])


class _Nowhere:
    """A target that discards the values written to it."""

    grid: Chunks | None = None
    concurrent = True

    def __init__(self, node: Node) -> None:
        self.shape = node.shape

    def write(self, box: Box, values: Values) -> None:
        """Discard a block."""
