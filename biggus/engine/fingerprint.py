"""Fingerprints: what a block of values is made of, and in which state that is.

Two blocks with the same identity, whose sources are in the same states, have the
same values: in any process, and whatever array they are a part of.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.graph import Leaf, Read, Unknown, View, key_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.graph import Node, Told
    from biggus.indexing.selection import Selection
    from biggus.sources.base import Box, Source


class Fingerprint(NamedTuple):
    """What a block of values is made of."""

    identity: bytes
    """A digest of the expression: of tokens, boxes and operations."""

    reads: tuple[tuple[Source, Box], ...]
    """What is read for it, in a fixed order."""

    def validators(self) -> tuple[bytes, ...] | None:
        """Return the state of each of the reads; None if one is unknown.  Asks no server."""
        found = []
        for source, box in self.reads:
            validator = source.cached_validator(box)
            if validator is None:
                return None
            found.append(validator)
        return tuple(found)

    def good(self, validators: tuple[bytes, ...], asks: bool = True) -> bool:
        """Tell whether what was computed of these states would be the same now.

        Parameters
        ----------
        validators : tuple of bytes
            One a read.
        asks : bool
            Whether servers are asked; if not, what only they know is taken to be so.
        """
        return len(validators) == len(self.reads) and all(
            (not asks and source.revalidation_waits(box, validator))
            or source.revalidate(box, validator) is not None
            for (source, box), validator in zip(self.reads, validators, strict=True)
        )


def fingerprint(node: Node, selection: Selection) -> Fingerprint | None:
    """Return the fingerprint of a non-empty selection of a node; None if there is none.

    There is none where a source has no token, or an operation has no name.
    """
    reads: list[tuple[Source, Box]] = []
    digest = hashlib.blake2b(digest_size=20)
    try:
        for text in _texts(node, selection, reads):
            digest.update(text.encode())
            digest.update(b"\0")
    except Unknown:
        return None
    return Fingerprint(digest.digest(), tuple(reads))


def _texts(node: Node, selection: Selection, reads: list[tuple[Source, Box]]) -> Iterator[str]:
    """Yield what tells a selection of a node; of what was told before, where that was."""
    known: dict[Any, tuple[int, Node]] = {}  # with the node, so that its id stays its own
    waiting: list[Told] = [(node, selection)]
    while waiting:
        told = waiting.pop()
        if isinstance(told, str):
            yield told
        elif isinstance(told, Read):
            yield _text_of_read(told, reads)
        else:
            node, selection = told
            if not isinstance(node, Leaf | View):
                key = (id(node), key_of(selection))
                if key in known:
                    yield f"again {known[key][0]}"
                    continue
                known[key] = (len(known), node)
            waiting.extend(list(node.told(selection))[::-1])


def _text_of_read(read: Read, reads: list[tuple[Source, Box]]) -> str:
    source, box = read.source, read.box
    if source.token is None:
        raise Unknown
    reads.append((source, box))
    ends = [(s.start, s.stop, s.step) for s in box]
    return f"read {source.token!r} {source.dtype!r} {source.shape} {ends} {text_of(read.selection)}"
