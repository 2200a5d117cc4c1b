"""Chunks and compression of new arrays: those given by the caller, or those of the sources."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from biggus.errors import OutputError
from biggus.graph import Leaf, Node
from biggus.sinks.new import NewStore, chunks_for, longest_chunks
from biggus.sources.base import Source
from biggus.sources.compression import Compression, given_compression
from biggus.sources.normal import given_chunks

_FEW = 16
"""How many children of a node are compared; the tiles of a mosaic are alike."""


class SavedLayout(NamedTuple):
    """The chunks and compression of a new array, as given by the caller."""

    chunks: tuple[int, ...] | None = None
    compression: Compression | None = None

    def chunks_in(self, store: type[NewStore], node: Node) -> tuple[int, ...]:
        """Return the chunks of the new array of a node."""
        if self.chunks is None:
            return chunks_for(node)
        if not store.chunked:
            raise OutputError(f"{store.format} has no chunks")
        return self.chunks

    def compression_in(self, store: type[NewStore], node: Node) -> Compression | None:
        """Return the compression of the new array of a node; None for the store's default.

        Raises
        ------
        OutputError
            If the store does not have the compression asked for.
        """
        wanted = self.compression
        if wanted is not None:
            if wanted.name != "none" and wanted.name.partition(":")[0] not in store.compressions:
                known = ", ".join(store.compressions) or "none"
                raise OutputError(
                    f"{store.format} has no {wanted.name} compression; it has: {known}"
                )
            return wanted
        own = _compression_of(node)
        fits = own is not None and own.name.partition(":")[0] in store.compressions
        return own if fits else None


DEFAULT_LAYOUT = SavedLayout()


def layouts(
    nodes: Sequence[Node], goals: Sequence[Any], chunks: Any, compression: Any
) -> list[SavedLayout]:
    """Return the layout of each of several targets.

    Parameters
    ----------
    nodes, goals : sequence
        The nodes to save, and their targets.
    chunks, compression : object
        The arguments of :func:`biggus.save`; a list has an entry for each target.

    Raises
    ------
    TypeError, ValueError
        If the arguments are invalid, or given for a target that exists.
    """
    saved = []
    new = [isinstance(goal, (str, os.PathLike)) for goal in goals]
    pairs = zip(_each(chunks, new, "chunks"), _each(compression, new, "compression"), strict=True)
    for node, (cut, packed) in zip(nodes, pairs, strict=True):
        lengths = None
        if cut is not None:
            lengths = longest_chunks(given_chunks(cut, node.shape), node.shape)
        saved.append(SavedLayout(lengths, given_compression(packed)))
    return saved


def _each(argument: Any, new: Sequence[bool], name: str) -> list[Any]:
    """Return the value of an argument for each target."""
    if argument is None:
        return [None] * len(new)
    if not isinstance(argument, list):
        if not any(new):
            raise ValueError(f"{name} is for new arrays: these targets have their own")
        return [argument if each else None for each in new]
    if len(argument) != len(new):
        raise ValueError(f"{name} has {len(argument)} entries, and there are {len(new)} targets")
    for number, (entry, each) in enumerate(zip(argument, new, strict=True)):
        if entry is not None and not each:
            raise ValueError(f"{name} is for new arrays: target {number} has its own")
    return argument


def _compression_of(node: Node) -> Compression | None:
    """Return the compression of the source that most values of a node are read from."""
    while node.children:
        node = max(node.children[:_FEW], key=_size)
    origin = node.origin if isinstance(node, Leaf) else None
    return origin.compression if isinstance(origin, Source) else None


def _size(node: Node) -> int:
    return math.prod(node.shape) * node.dtype.itemsize
