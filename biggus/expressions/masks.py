"""Masks of results, by the rules of :mod:`numpy.ma`.

A result is missing where an operand is.  If a function has a domain, results outside of it are
missing too, and those that are not finite.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from biggus.sources.base import Values

_ALL_FINITE = frozenset({operator.pow, np.power})
"""Functions without a domain whose results np.ma masks where they are not finite."""


@lru_cache(256)
def _domain(function: Callable[..., Any]) -> tuple[bool, Callable[..., Any] | None]:
    """Return whether results must be finite, and a function that finds operands out of domain."""
    if function in _ALL_FINITE:
        return True, None
    twin = getattr(np.ma, getattr(function, "__name__", ""), None)
    domain = getattr(twin, "domain", None)
    if domain is None or getattr(twin, "f", None) is not function:
        return False, None
    return True, domain


def defined_everywhere(function: Callable[..., Any]) -> bool:
    """Return whether results are missing only where an operand is."""
    return not _domain(function)[0]


def union(blocks: Sequence[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where any of the blocks, broadcast to `shape`, is masked."""
    combined: Any = None
    for block in blocks:
        mask = np.ma.getmask(block)
        if mask is not np.ma.nomask:
            combined = mask if combined is None else combined | mask
    if combined is None:
        return np.zeros(shape, bool)
    return combined if combined.shape == shape else np.broadcast_to(combined, shape).copy()


def undefined(
    function: Callable[..., Any], arguments: Sequence[Any], results: NDArray[Any]
) -> NDArray[np.bool_] | None:
    """Return a mask of where a function is not defined; None if it is defined everywhere."""
    finite, domain = _domain(function)
    if not finite or results.dtype.kind not in "biufc":
        return None
    outside: NDArray[np.bool_] = ~np.isfinite(results)
    if domain is not None:
        outside |= domain(*arguments)
    return outside


def where(condition: Any, x: Any, y: Any) -> Values:
    """Return the result of :func:`numpy.ma.where`; missing where the condition is."""
    blocks = (condition, x, y)
    # Python's numbers stay so: as arrays they would have a dtype.
    datas: list[Any] = [
        np.ma.getdata(block, subok=False) if isinstance(block, np.ndarray) else block
        for block in blocks
    ]
    values = np.where(*datas)
    masks = [np.ma.getmask(block) for block in blocks]
    chosen = np.where(datas[0], masks[1], masks[2]) | masks[0]
    return np.ma.MaskedArray(values, mask=np.broadcast_to(chosen, values.shape).copy())
