"""Telling: text that says, in any process, what a node is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus.graph.pieces import Combination, Piece, Read
from biggus.indexing.selection import AxisMap, ConstantMap, DimensionMap, Selection
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.graph.base import Node
    from biggus.graph.step import Step

Told: TypeAlias = "str | Read | tuple[Node, Selection]"
"""A text, a read of a source, or what is told in the same way: a selection of another node."""


class Unknown(Exception):  # noqa: N818 - nobody sees it
    """What values are made of cannot be said."""


def told_of_piece(piece: Piece) -> Iterator[Told]:
    """Yield what a piece is made of."""
    yield f"put {text_of(piece.out_selection)} {[name_of(step) for step in piece.steps]}"
    if isinstance(piece, Read):
        yield piece
        return
    assert isinstance(piece, Combination)
    if piece.function is not None:
        yield f"combined {name_of(piece.function)}"
    yield from piece.operands


def name_of(step: Step) -> str:
    """Return what is equal for steps that do the same."""
    key = step.key
    if key is None:
        raise Unknown
    return key


def text_of(selection: Selection) -> str:
    """Return what is equal for equal selections."""
    return f"{selection.shape} {[_map_text(m) for m in selection.maps]}"


def _map_text(m: AxisMap) -> str:
    if isinstance(m, ConstantMap):
        return str(m.index)
    if isinstance(m, DimensionMap):
        return f"{m.dim}:{m.start}:{m.step}"
    index: Any = np.ascontiguousarray(m.index, np.int64)
    with between_forks():
        import hashlib  # of few selections, and a part of the time that importing takes
    return f"{m.dims} {index.shape} {hashlib.blake2b(index.tobytes(), digest_size=20).hexdigest()}"
