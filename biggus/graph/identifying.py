"""Identifiers: texts that identify the values of a node in any process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus.graph.pieces import Combination, Piece, Read
from biggus.indexing.selection import AxisMap, ConstantMap, DimensionMap, Selection
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.graph.base import Node
    from biggus.graph.step import Step

Identifier: TypeAlias = "str | Read | tuple[Node, Selection]"
"""A text, a read of a source, or a selection of another node, which has identifiers of its own."""


class Unknown(Exception):  # noqa: N818 - nobody sees it
    """The values of a node have no identifiers."""


def piece_identifiers(piece: Piece) -> Iterator[Identifier]:
    """Yield the identifiers of a piece."""
    yield f"put {text_of(piece.out_selection)} {[step_key(step) for step in piece.steps]}"
    if isinstance(piece, Read):
        yield piece
        return
    assert isinstance(piece, Combination)
    if piece.function is not None:
        yield f"combined {step_key(piece.function)}"
    yield from piece.operands


def step_key(step: Step) -> str:
    """Return the key of a step, which equal steps share; raise Unknown if it has none."""
    key = step.key
    if key is None:
        raise Unknown
    return key


def key_or_id(step: Any) -> str | int:
    """Return the key of a step, or its id if it has none: for signatures in this process."""
    key: str | None = getattr(step, "key", None)
    return id(step) if key is None else key


def text_of(selection: Selection) -> str:
    """Return a text that equal selections share."""
    return f"{selection.shape} {[_map_text(m) for m in selection.maps]}"


@lru_cache(maxsize=64)  # NumPy takes 2 µs for it, a tenth of the time of a fingerprint
def text_of_dtype(dtype: np.dtype[Any]) -> str:
    """Return a text that equal dtypes share."""
    return repr(dtype)


def _map_text(m: AxisMap) -> str:
    if isinstance(m, ConstantMap):
        return str(m.index)
    if isinstance(m, DimensionMap):
        return f"{m.dim}:{m.start}:{m.step}"
    index: Any = np.ascontiguousarray(m.index, np.int64)
    with between_forks():
        import hashlib  # rarely needed, and slow to import
    return f"{m.dims} {index.shape} {hashlib.blake2b(index.tobytes(), digest_size=20).hexdigest()}"
