"""`average`, `cov` and `corrcoef`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import broadcast_to, zeros
from biggus.functions.elementwise import as_array, clip, masked_elsewhere, valid_in_all
from biggus.functions.joining import concatenate
from biggus.functions.products import conjugate, tensordot
from biggus.functions.reshaping import at_least_2d
from biggus.functions.statistics import count, mean, sum
from biggus.sources.normal import normal_axes
from biggus.statistics.signatures import NOT_GIVEN


@implements(np.average)
def _average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    array = as_array(a)
    keep = keepdims is not NOT_GIVEN and bool(keepdims)
    if weights is None:
        average = mean(array, axis=axis, keepdims=keep)
        total: Any = np.full((), array.size / average.size, average.dtype)
        if array.masked:
            total = count(array, axis=axis, keepdims=keep).astype(average.dtype)
    else:
        if axis is not None:
            normal_axes(axis, array.ndim)  # also where NumPy's sums take axis 0 of no axes
        factors = _weights(array, axis, as_array(weights))
        if array.masked:  # missing values have no weight
            factors = masked_elsewhere(factors, valid_in_all(array, factors))
        kinds = (array.dtype, factors.dtype)
        dtype = (
            np.result_type(*kinds, "f8") if array.dtype.kind in "iub" else np.result_type(*kinds)
        )
        total = sum(factors, axis=axis, dtype=dtype, keepdims=keep)
        if not (isinstance(weights, Array) or array.masked) and (total.ndarray() == 0).any():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        products = np.multiply(array, factors, dtype=dtype)
        average = sum(products, axis=axis, keepdims=keep) / total
    if not returned:
        return average
    return average, broadcast_to(as_array(total), average.shape)


def _weights(array: Array, axis: Any, weights: Array) -> Array:
    """Return the weights, broadcast to the shape of the values."""
    if weights.shape == array.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normal_axes(axis, array.ndim)
    if weights.shape != tuple([array.shape[one] for one in axes]):
        raise ValueError(
            "Shape of weights must be consistent with shape of a along specified axis."
        )
    order = np.argsort(axes).tolist()
    turned = weights.transpose(order)
    key = tuple([slice(None) if one in axes else None for one in range(array.ndim)])
    return broadcast_to(turned[key], array.shape)


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    """Estimate a covariance matrix, as :func:`numpy.cov`.

    If values can be missing, each covariance is that of the observations where neither variable
    is missing, as in :func:`numpy.ma.cov`.
    """
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    arrays = [as_array(one) for one in (m, y) if one is not None]
    if any(one.ndim > 2 for one in arrays):
        raise ValueError("m has more than 2 dimensions")
    kind = np.result_type(*[one.dtype for one in arrays], np.float64) if dtype is None else dtype
    rows = _variables(arrays, rowvar)
    if rows[0].shape[0] == 0:
        return zeros((0, 0), float)
    values = (concatenate(rows, 0) if len(rows) > 1 else rows[0]).astype(kind)
    by = int(not bias) if ddof is None else int(ddof)
    weights = _observations(fweights, aweights, values.shape[1])
    if values.masked and weights is not None:
        raise TypeError("cov of values that can be missing takes no weights")
    if weights is None:
        middle = mean(values, axis=1, keepdims=True)
        factor = values.shape[1] - by
    else:
        total = weights.sum()
        middle = sum(values * weights, axis=1, keepdims=True) / total
        factor = total - by
        if by and aweights is not None:
            factor = total - by * (weights * np.asarray(aweights)).sum() / total
    off = values - middle
    other = off if weights is None else off * weights
    products = tensordot(off, conjugate(other), ([1], [1]))
    if values.masked:
        present = valid_in_all(values).astype(np.float64)
        pairs = tensordot(present, present, ([1], [1])) - by
        return np.squeeze(masked_elsewhere(products / pairs, pairs > 0))  # type: ignore[return-value]
    return np.squeeze(np.multiply(products, 1 / factor) if factor > 0 else products * np.inf)  # type: ignore[return-value]


def _variables(arrays: list[Array], rowvar: bool) -> list[Array]:
    """Return arrays with a variable in each row; two of one shape miss the same observations."""
    rows = [at_least_2d(one) for one in arrays]
    if not rowvar:
        turned = [arrays[0].ndim != 1, *[one.shape[0] != 1 for one in rows[1:]]]
        rows = [one.T if turn else one for one, turn in zip(rows, turned, strict=True)]
    if len({one.shape for one in rows}) < len(rows) and any(one.masked for one in rows):
        there = valid_in_all(*rows)
        rows = [masked_elsewhere(one, there) for one in rows]
    return rows


def _observations(fweights: Any, aweights: Any, count: int) -> Any:
    """Return the weight of each observation; None if there are none."""
    weights = [np.asarray(one, float) for one in (fweights, aweights) if one is not None]
    if not weights:
        return None
    # NumPy is called with as many observations, to raise its errors.
    np.cov(np.zeros((1, count)), ddof=0, fweights=fweights, aweights=aweights)
    return math.prod(weights)


@implements(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    matrix = cov(x, y, rowvar, dtype=dtype)
    if matrix.ndim == 0:
        return matrix / matrix
    deviations = np.sqrt(np.diagonal(matrix).real)
    coefficients: Any = matrix / deviations[:, None] / deviations
    if coefficients.dtype.kind == "c":
        return coefficients.real.clip(-1, 1) + 1j * coefficients.imag.clip(-1, 1)  # type: ignore[no-any-return]
    return clip(coefficients, -1, 1)
