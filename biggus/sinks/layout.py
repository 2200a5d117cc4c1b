"""How new arrays are cut and compressed: as the caller says, or as what they are made of."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.errors import OutputError
from biggus.graph import Leaf
from biggus.sinks.new import chunks_for, longest_chunks
from biggus.sources.base import Source
from biggus.sources.compression import Compression, given_compression
from biggus.sources.normal import given_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node
    from biggus.sinks.new import NewStore

_FEW = 16
"""Of so many children it is looked for the largest; those of a mosaic are alike."""


class SavedLayout(NamedTuple):
    """What the caller says of how an array is stored."""

    chunks: tuple[int, ...] | None = None
    compression: Compression | None = None

    def chunks_in(self, store: type[NewStore], node: Node) -> tuple[int, ...]:
        """Return the chunks of the array that is made of a node."""
        if self.chunks is None:
            return chunks_for(node)
        if not store.chunked:
            raise OutputError(f"there are no chunks in {store.format}")
        return self.chunks

    def compression_in(self, store: type[NewStore], node: Node) -> Compression | None:
        """Return how the array that is made of a node is compressed; None: as the store does it.

        Raises
        ------
        OutputError
            If that which is asked for is none that the store has.
        """
        wanted = self.compression
        if wanted is not None:
            if wanted.name != "none" and wanted.name.partition(":")[0] not in store.compressions:
                known = ", ".join(store.compressions) or "nothing is compressed there"
                raise OutputError(
                    f"there is no {wanted.name} compression in {store.format}: {known}"
                )
            return wanted
        kept = _compression_of(node)
        fits = kept is not None and kept.name.partition(":")[0] in store.compressions
        return kept if fits else None


AS_IT_IS = SavedLayout()


def layouts(
    nodes: Sequence[Node], goals: Sequence[Any], chunks: Any, compression: Any
) -> list[SavedLayout]:
    """Return what is said of each of several targets.

    Parameters
    ----------
    nodes, goals : sequence
        What is saved, and where to.
    chunks, compression : object
        As for :func:`biggus.save`: a list has an entry for each.

    Raises
    ------
    TypeError, ValueError
        If it makes no sense, or is said of what is there already.
    """
    found = []
    new = [isinstance(goal, (str, os.PathLike)) for goal in goals]
    pairs = zip(_each(chunks, new, "chunks"), _each(compression, new, "compression"), strict=True)
    for node, (cut, packed) in zip(nodes, pairs, strict=True):
        lengths = None
        if cut is not None:
            lengths = longest_chunks(given_chunks(cut, node.shape), node.shape)
        found.append(SavedLayout(lengths, given_compression(packed)))
    return found


def _each(given: Any, new: Sequence[bool], name: str) -> list[Any]:
    """Return what is given for each target."""
    if given is None:
        return [None] * len(new)
    if not isinstance(given, list):
        if not any(new):
            raise ValueError(f"{name} is for what is made anew: these targets have their own")
        return [given if each else None for each in new]
    if len(given) != len(new):
        raise ValueError(f"{name} has {len(given)} entries, and there are {len(new)} targets")
    for number, (entry, each) in enumerate(zip(given, new, strict=True)):
        if entry is not None and not each:
            raise ValueError(f"{name} is for what is made anew: target {number} has its own")
    return given


def _compression_of(node: Node) -> Compression | None:
    """Return how that is compressed which most of a node is read from."""
    while node.children:
        node = max(node.children[:_FEW], key=_size)
    origin = node.origin if isinstance(node, Leaf) else None
    return origin.compression if isinstance(origin, Source) else None


def _size(node: Node) -> int:
    return math.prod(node.shape) * node.dtype.itemsize
