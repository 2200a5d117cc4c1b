"""`linspace`, `logspace` and `geomspace` between ends that may be lazy."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array
from biggus.functions.steps import of_cores


def _between(name: str, start: Any, stop: Any, axis: int, keywords: dict[str, Any]) -> Array:
    first, last = as_array(start), as_array(stop)
    keywords["num"] = operator.index(keywords["num"])
    if keywords["dtype"] is not None:
        keywords["dtype"] = np.dtype(keywords["dtype"])
    function = getattr(np, name)
    probe = function(np.ones(1, first.dtype), np.ones(1, last.dtype), **keywords)
    options = {**keywords, "axis": -1}
    core = (keywords["num"],)
    values = of_cores(name, function, [first, last], [0, 0], core, probe.dtype, options)
    return moveaxis(values, -1, axis)


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
    options = {"num": num, "endpoint": bool(endpoint), "dtype": dtype}
    values = _between("linspace", start, stop, axis, options)
    if not retstep:
        return values
    parts = operator.index(num) - bool(endpoint)
    step = (as_array(stop) * 1.0 - as_array(start) * 1.0) / (parts or np.nan)
    return values, step


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
    options = {"num": num, "endpoint": bool(endpoint), "base": base, "dtype": dtype}
    return _between("logspace", start, stop, axis, options)


@implements(np.geomspace)
def _geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    options = {"num": num, "endpoint": bool(endpoint), "dtype": dtype}
    return _between("geomspace", start, stop, axis, options)
