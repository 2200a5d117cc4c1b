"""Least-squares fits: `polyfit` and `lstsq`."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.elementwise import as_array, where
from biggus.functions.joining import stack
from biggus.functions.products import matmul
from biggus.functions.statistics import max as greatest
from biggus.functions.statistics import mean
from biggus.functions.steps import of_cores


@implements(np.polyfit)
def _polyfit(
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Array:
    if full or cov or np.ndim(deg):
        raise TypeError("polyfit of lazy arrays takes neither full, cov, nor a list of degrees")
    degree = operator.index(deg)
    places, values = as_array(x), as_array(y)
    if degree < 0:
        raise ValueError("expected deg >= 0")
    if places.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if places.size == 0:
        raise TypeError("expected non-empty vector for x")
    if values.ndim < 1 or values.ndim > 2:
        raise TypeError("expected 1D or 2D array for y")
    if places.shape[0] != values.shape[0]:
        raise TypeError("expected x and y to have same length")
    if places.masked or values.masked:
        raise TypeError("polyfit of values that can be missing: give them the weight 0")
    values = values + 0.0
    columns = values if values.ndim == 2 else values[:, None]
    if isinstance(x, Array) or isinstance(w, Array):
        coefficients = _by_sums(places + 0.0, columns, degree, w)
    else:
        coefficients = _by_inverse(np.asarray(x) + 0.0, columns, degree, rcond, w)
    return coefficients if values.ndim == 2 else coefficients[:, 0]


def _by_inverse(x: Any, values: Array, degree: int, rcond: Any, w: Any) -> Array:
    """Return the coefficients for `x` in memory: a matrix times the values."""
    lhs = np.vander(x, degree + 1)
    if w is not None:
        weights = np.asarray(w) + 0.0
        if weights.shape != x.shape:
            raise TypeError("expected w and y to have the same length")
        lhs = lhs * weights[:, None]
    scale = np.sqrt((lhs * lhs).sum(axis=0))
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    inverse = np.linalg.pinv(lhs / scale, rcond=rcond) / scale[:, None]
    if w is not None:
        inverse = inverse * weights
    return matmul(inverse, values)


def _by_sums(x: Array, values: Array, degree: int, w: Any) -> Array:
    """Return the coefficients by normal equations, with `x` scaled to the range -1 to 1."""
    middle = mean(x)
    extent = greatest(abs(x - middle))
    extent = where(extent == 0, 1.0, extent)
    within = (x - middle) / extent
    powers = [within**k for k in range(degree + 1)]
    rows: Any = stack(powers, 0)
    if w is not None:
        weights = as_array(w) + 0.0
        if weights.shape != x.shape:
            raise TypeError("expected w and y to have the same length")
        rows, values = rows * weights, values * weights[:, None]
    normal, right = matmul(rows, rows.T), matmul(rows, values)
    dtype = np.result_type(x.dtype, values.dtype, np.float64)
    arrays = [normal, right, middle, as_array(extent)]
    return of_cores("polyfit", _polynomial, arrays, [2, 2, 0, 0], right.shape, dtype)


def _polynomial(normal: Any, right: Any, middle: Any, extent: Any) -> Any:
    """Solve the normal equations of polynomials in scaled `x`; return their coefficients in `x`."""
    scaled = np.linalg.solve(normal, right)
    line = np.array([-middle / extent, 1 / extent])
    results = np.zeros(right.shape, np.result_type(scaled, np.float64))
    for column in range(right.shape[1]):
        # Horner's rule, with the linear scaling function as the argument.
        total = np.zeros(1)
        for coefficient in scaled[::-1, column]:
            total = np.convolve(total, line)
            total[0] += coefficient
        results[:, column] = total[: len(results)][::-1]
    return results


@implements(np.linalg.lstsq)
def _lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Array, ...]:
    matrix, right = as_array(a), as_array(b)
    if matrix.ndim != 2:
        raise np.linalg.LinAlgError(
            f"{matrix.ndim}-dimensional array given. Array must be two-dimensional"
        )
    # NumPy is called with a matrix of this shape and full rank, to find results and errors.
    probe = np.linalg.lstsq(
        np.eye(*matrix.shape, dtype=matrix.dtype), np.zeros(right.shape, right.dtype), rcond
    )
    arrays, ndims = [matrix, right], [2, right.ndim]
    results = []
    for number, one in enumerate(map(np.asarray, probe)):
        options = {"number": number, "rcond": rcond}
        results.append(of_cores("lstsq", _solution, arrays, ndims, one.shape, one.dtype, options))
    if not isinstance(a, Array):
        # Rank and singular values depend on the matrix alone, which is in memory.
        of_matrix = np.linalg.lstsq(np.asarray(a), np.zeros((len(a), 0), right.dtype), rcond)[2:]
        results[2:] = [as_array(np.asarray(one)) for one in of_matrix]
    return tuple(results)


def _solution(matrix: Any, right: Any, number: int, rcond: Any) -> Any:
    """Return one of the results of `numpy.linalg.lstsq`."""
    results = np.linalg.lstsq(matrix, right, rcond)
    if number == 1 and results[2] < min(matrix.shape):
        raise np.linalg.LinAlgError("a matrix without full rank has no residuals")
    return results[number]
