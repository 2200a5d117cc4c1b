"""`linspace`, `logspace` and `geomspace` between ends that may be lazy."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.functions.steps import FunctionStep
from biggus.graph import Gufunc


def _between(name: str, start: Any, stop: Any, axis: int, keywords: dict[str, Any]) -> Array:
    first, last = as_array(start), as_array(stop)
    refuse_missing(name, first, last)
    keywords["num"] = operator.index(keywords["num"])
    if keywords["dtype"] is not None:
        keywords["dtype"] = np.dtype(keywords["dtype"])
    function = getattr(np, name)
    probe = function(np.ones(1, first.dtype), np.ones(1, last.dtype), **keywords)
    step = FunctionStep(function, probe.dtype, {**keywords, "axis": -1})
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
    device: Any = None,  # there is one
) -> Any:
    how = {"num": num, "endpoint": bool(endpoint), "dtype": dtype}
    found = _between("linspace", start, stop, axis, how)
    if not retstep:
        return found
    parts = how["num"] - bool(endpoint)
    step = (as_array(stop) * 1.0 - as_array(start) * 1.0) / (parts or np.nan)
    return found, step


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
