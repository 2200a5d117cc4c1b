"""Fingerprints: a digest of the expression of a block of values, and the reads it needs.

Two blocks with the same digest, whose sources have the same validators, have the same values, in
any process and as a part of any array.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.cache.validators import join_validators, split_validators
from biggus.graph import Identifier, Leaf, Node, Read, Unknown, View, key_of, text_of, text_of_dtype
from biggus.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.indexing.selection import Selection
    from biggus.sources.base import Box, Source


_MOST_HASHED = 2**18
"""The most bytes of values in memory that are hashed to identify them."""


class Fingerprint(NamedTuple):
    """The expression and the reads of a block of values."""

    identity: bytes
    """A digest of the expression: of tokens, boxes and operations."""

    reads: tuple[tuple[Source, Box], ...]
    """The reads that the values need, in a fixed order."""

    def validator(self) -> bytes | None:
        """Return the joined validators of the reads; None if one is unknown.  Asks no server."""
        return join_validators([source.cached_validator(box) for source, box in self.reads])

    def is_valid(self, validator: bytes, asks: bool = True) -> bool:
        """Return whether the reads still have the validators that they had.

        Parameters
        ----------
        validator : bytes
            The joined validators of the reads.
        asks : bool
            Whether servers may be asked; otherwise a validator that only they know counts as
            valid.
        """
        validators = split_validators(validator, len(self.reads))
        return validators is not None and all(
            (not asks and source.revalidation_waits(box, each))
            or source.revalidate(box, each) is not None
            for (source, box), each in zip(self.reads, validators, strict=True)
        )


def fingerprint(node: Node, selection: Selection) -> Fingerprint | None:
    """Return the fingerprint of a non-empty selection of a node.

    None if a source has no token, or an operation no name that other processes know.  A few values
    in memory, such as weights, are identified by themselves; None if there is nothing else.
    """
    reads: list[tuple[Source, Box]] = []
    digest = hashlib.blake2b(digest_size=20)
    try:
        for text in _texts(node, selection, reads):
            digest.update(text.encode())
            digest.update(b"\0")
    except Unknown:
        return None
    return Fingerprint(digest.digest(), tuple(reads)) if reads else None


def _texts(node: Node, selection: Selection, reads: list[tuple[Source, Box]]) -> Iterator[str]:
    """Yield texts that identify a selection of a node, and append its reads to `reads`.

    A node that occurs again is identified by its number.
    """
    known: dict[Any, tuple[int, Node]] = {}  # with the node, so that its id stays its own
    waiting: list[Identifier] = [(node, selection)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Read):
            yield _text_of_read(item, reads)
        else:
            node, selection = item
            if not isinstance(node, Leaf | View):
                key = (id(node), key_of(selection))
                if key in known:
                    yield f"again {known[key][0]}"
                    continue
                known[key] = (len(known), node)
            waiting.extend(list(node.identifiers(selection))[::-1])


def _text_of_read(read: Read, reads: list[tuple[Source, Box]]) -> str:
    source, box = read.source, read.box
    token = source.token
    if token is None:
        return _text_of_values(source, box, read.selection)
    reads.append((source, box))
    ends = [(s.start, s.stop, s.step) for s in box]
    dtype = text_of_dtype(source.dtype)
    return f"read {token!r} {dtype} {source.shape} {ends} {text_of(read.selection)}"


def _text_of_values(source: Source, box: Box, selection: Selection) -> str:
    """Return a text that identifies values in memory, if they are few; raise Unknown if not."""
    if not isinstance(source, MemorySource) or source.masked or source.dtype.hasobject:
        raise Unknown
    values = np.ascontiguousarray(source[box])
    if values.nbytes > _MOST_HASHED:
        raise Unknown
    digest = hashlib.blake2b(values.tobytes(), digest_size=20).hexdigest()
    return f"values {digest} {source.dtype!r} {values.shape} {text_of(selection)}"
