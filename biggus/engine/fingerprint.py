"""Fingerprints: what a block of values is made of, and in which state that is.

Two blocks with the same identity, whose sources are in the same states, have the
same values: in any process, and whatever array they are a part of.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from biggus.nodes import (
    AlongAxes,
    Combination,
    Elementwise,
    Leaf,
    Mosaic,
    Node,
    Read,
    View,
    narrowed,
)
from biggus.region import AxisMap, Fixed, Gather, Selection, Strided

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.nodes import Piece, Step
    from biggus.source import Box, Source


class Unknown(Exception):  # noqa: N818 - nobody sees it
    """What values are made of cannot be said."""


class Fingerprint(NamedTuple):
    """What a block of values is made of."""

    identity: bytes
    """A digest of the expression: of tokens, boxes and operations."""

    reads: tuple[tuple[Source, Box], ...]
    """What is read for it, in a fixed order."""

    def versions(self) -> tuple[bytes, ...] | None:
        """Return the state of each of the reads; None if one is unknown.  Asks no server."""
        found = []
        for source, box in self.reads:
            version = source.held(box)
            if version is None:
                return None
            found.append(version)
        return tuple(found)

    def good(self, versions: tuple[bytes, ...]) -> bool:
        """Tell whether what was computed of these states would be the same now."""
        return len(versions) == len(self.reads) and all(
            source.renew(box, version) is not None
            for (source, box), version in zip(self.reads, versions, strict=True)
        )


def fingerprint(node: Node, get: Selection) -> Fingerprint | None:
    """Return the fingerprint of a non-empty selection of a node; None if there is none.

    There is none where a source has no token, or an operation has no name.
    """
    reads: list[tuple[Source, Box]] = []
    digest = hashlib.blake2b(digest_size=20)
    try:
        for part in _of_node(node, get, reads):
            digest.update(part.encode())
            digest.update(b"\0")
    except Unknown:
        return None
    return Fingerprint(digest.digest(), tuple(reads))


def _of_node(node: Node, get: Selection, reads: list[tuple[Source, Box]]) -> Iterable[str]:
    match node:
        case View():
            yield from _of_node(node.base, node.selection.compose(get), reads)
        case Elementwise():
            yield f"step {_key_of(node.step)} {node.dtype!r} {get.shape}"
            for operand in node.operands:
                yield from _of_node(*narrowed(operand, get), reads)
        case AlongAxes():
            # How it is cut follows from the memory; what it is of does not.
            yield f"along {_key_of(node.function)} {node.axes} {node.keepdims} {_text_of(get)}"
            whole = Selection.identity(node.operand.shape)
            yield from _of_node(node.operand, whole, reads)
        case Leaf():
            # The box around all that is wanted: what is beside it makes no hit of a miss.
            box, local = get.bounding_box()
            yield from _of_read(node.source, box, local, reads)
        case Mosaic():
            yield f"mosaic {node.dtype!r} {get.shape}"
            for tile, part, put in node.parts(get, Selection.identity(get.shape)):
                yield f"put {_text_of(put)}"
                yield from _of_node(tile, part, reads)
        case _:
            yield f"pieces {node.dtype!r} {get.shape}"
            for piece in node.pieces(get, Selection.identity(get.shape)):
                yield from _of_piece(piece, reads)


def _of_piece(piece: Piece, reads: list[tuple[Source, Box]]) -> Iterable[str]:
    yield f"put {_text_of(piece.put)} {[_key_of(step) for step in piece.steps]}"
    if isinstance(piece, Read):
        yield from _of_read(piece.source, piece.box, piece.get, reads)
        return
    assert isinstance(piece, Combination)
    yield f"combined {_key_of(piece.function)}"
    for operand, get in piece.operands:
        yield from _of_node(operand, get, reads)


def _of_read(
    source: Source, box: Box, get: Selection, reads: list[tuple[Source, Box]]
) -> Iterable[str]:
    if source.token is None:
        raise Unknown
    reads.append((source, box))
    ends = [(s.start, s.stop, s.step) for s in box]
    yield f"read {source.token!r} {source.dtype!r} {source.shape} {ends} {_text_of(get)}"


def _key_of(step: Step) -> str:
    key = step.key
    if key is None:
        raise Unknown
    return key


def _text_of(selection: Selection) -> str:
    return f"{selection.shape} {[_map_text(m) for m in selection.maps]}"


def _map_text(m: AxisMap) -> str:
    if isinstance(m, Fixed):
        return str(m.index)
    if isinstance(m, Strided):
        return f"{m.dim}:{m.start}:{m.step}"
    assert isinstance(m, Gather)
    index = np.ascontiguousarray(m.index, np.int64)
    return f"{m.dims} {index.shape} {hashlib.blake2b(index.tobytes(), digest_size=20).hexdigest()}"
