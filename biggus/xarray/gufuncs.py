"""`apply_gufunc`: functions of core dimensions, with a signature such as ``(x),(x)->()``."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biggus.array import Array
from biggus.construct import ArrayAdapter
from biggus.graph import Gufunc
from biggus.xarray.steps import CoreFunction

_MOST_TRIED = 64 * 2**20
"""The most bytes of an array that a function is called with to find the dtype of its result."""


def apply_gufunc(
    function: Callable[..., Any],
    signature: str,
    *arrays: Any,
    vectorize: bool | None = None,
    output_dtypes: Any = None,
    output_sizes: Mapping[str, int] | None = None,
    **keywords: Any,
) -> Any:
    """Apply a function of core dimensions lazily, as ``dask.array.apply_gufunc``.

    Parameters
    ----------
    function : callable
        The function.  It takes arrays whose last axes are core dimensions, which are whole;
        the other axes are broadcast.
    signature : str
        The signature of a generalised ufunc, such as ``(x),(x)->()``.
    *arrays : Array or array_like
        The arguments.
    vectorize : bool, optional
        Whether the function takes core dimensions alone, and has to be called in a loop.
    output_dtypes : optional
        The dtypes of the results, if the function cannot be called to find them.
    output_sizes : mapping, optional
        The lengths of new core dimensions.
    **keywords
        Further arguments of the function.
    """
    for name in ("allow_rechunk", "meta", "axes", "axis", "keepdims"):
        keywords.pop(name, None)
    inputs, outputs = _parsed(signature)
    lazy = [one if isinstance(one, Array) else ArrayAdapter(np.asarray(one)) for one in arrays]
    sizes = dict(output_sizes or {})
    for one, core in zip(lazy, inputs, strict=True):
        sizes.update(zip(core, one.shape[one.ndim - len(core) :], strict=True))
    if vectorize:
        kinds = None if output_dtypes is None else [np.dtype(dtype) for dtype in output_dtypes]
        function = np.vectorize(function, otypes=kinds, signature=signature)
    known = [one if isinstance(one, Array) else np.asarray(one) for one in arrays]
    dtypes = _dtypes(function, known, inputs, keywords, output_dtypes, len(outputs))
    whole = [len(core) for core in inputs]
    nodes = [one.node for one in lazy]
    shapes = [one.shape for one in lazy]
    results = []
    for number, core in enumerate(outputs):
        which = number if len(outputs) > 1 else None
        step = CoreFunction(function, dtypes[number], keywords, which, shapes=shapes, cores=whole)
        lengths = tuple([sizes[name] for name in core])
        results.append(Array.from_node(Gufunc(step, nodes, whole, lengths)))
    return tuple(results) if len(outputs) > 1 else results[0]


def _parsed(signature: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the names of the core dimensions of inputs and outputs.

    Examples
    --------
    >>> _parsed("(x,y),()->(x)")
    ([['x', 'y'], []], [['x']])
    """
    sides = [re.findall(r"\(([^)]*)\)", side) for side in signature.split("->")]
    inputs, outputs = [
        [[name.strip() for name in core.split(",") if name.strip()] for core in side]
        for side in sides
    ]
    return inputs, outputs


def _dtypes(
    function: Callable[..., Any],
    arrays: Sequence[Any],
    inputs: Sequence[Sequence[str]],
    keywords: Mapping[str, Any],
    output_dtypes: Any,
    count: int,
) -> list[np.dtype[Any]]:
    """Return the dtypes of the results for arrays of ones; if that fails, those given."""
    try:
        probes = [_probe(one, len(core)) for one, core in zip(arrays, inputs, strict=True)]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = function(*probes, **keywords)
        return [np.asarray(one).dtype for one in (results if count > 1 else [results])]
    except Exception:
        if output_dtypes is None:
            raise
    several = (
        list(output_dtypes) if isinstance(output_dtypes, (list, tuple)) else [output_dtypes] * count
    )
    return [np.dtype(dtype) for dtype in several]


def _probe(one: Any, whole: int) -> Any:
    """Return an array of ones of length one along loop dimensions; part of one in memory."""
    loop = one.ndim - whole
    if not isinstance(one, Array):
        return one[(slice(0, 1),) * loop]
    shape = (1,) * loop + one.shape[loop:]
    if math.prod(shape) * one.itemsize > _MOST_TRIED:
        raise ValueError(
            f"the function would be called with {math.prod(shape)} values to find its dtype: "
            "pass output_dtypes"
        )
    return np.ones(shape, one.dtype)
