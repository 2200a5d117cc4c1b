"""NumPy's functions of numbers between two ends, which may be lazy."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array, implements
from biggus.expressions import text_of
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.graph import BaseStep, Gufunc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.sources.base import Values


class BetweenEnds(BaseStep):
    """A function of NumPy's of ends, that puts what is between them along a last axis."""

    def __init__(self, name: str, keywords: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
        self.name = name
        self.keywords = dict(keywords)
        self.dtype = dtype

    @property
    def key(self) -> str | None:
        """What is equal for steps that do the same; None if that is not known."""
        given = text_of(tuple(sorted(self.keywords.items())))
        return None if given is None else f"{self.name} {given}"

    def __call__(self, start: Values, stop: Values) -> Values:
        """Return the numbers between ends."""
        found: Values = getattr(np, self.name)(start, stop, axis=-1, **self.keywords)
        return found


def _between(name: str, start: Any, stop: Any, axis: int, keywords: dict[str, Any]) -> Array:
    first, last = as_array(start), as_array(stop)
    refuse_missing(name, first, last)
    keywords["num"] = operator.index(keywords["num"])
    if keywords["dtype"] is not None:
        keywords["dtype"] = np.dtype(keywords["dtype"])
    probe = getattr(np, name)(np.ones(1, first.dtype), np.ones(1, last.dtype), **keywords)
    step = BetweenEnds(name, keywords, probe.dtype)
    node = Gufunc(step, [first.node, last.node], [0, 0], (keywords["num"],))
    return moveaxis(Array.from_node(node), -1, axis)


@implements(np.linspace)
def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,  # of which there is one
) -> Any:
    how = {"num": num, "endpoint": bool(endpoint), "dtype": dtype}
    found = _between("linspace", start, stop, axis, how)
    if not retstep:
        return found
    parts = how["num"] - bool(endpoint)
    apart = (as_array(stop) * 1.0 - as_array(start) * 1.0) / (parts or np.nan)
    return found, apart


@implements(np.logspace)
def _logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    if np.ndim(base):
        raise TypeError("logspace of lazy ends has one base: call .ndarray() first")
    how = {"num": num, "endpoint": bool(endpoint), "base": base, "dtype": dtype}
    return _between("logspace", start, stop, axis, how)


@implements(np.geomspace)
def _geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    how = {"num": num, "endpoint": bool(endpoint), "dtype": dtype}
    return _between("geomspace", start, stop, axis, how)
