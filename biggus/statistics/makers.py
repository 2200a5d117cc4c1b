"""Makers of statistics: each makes the statistic, with its aggregator, of a kind of array.

NumPy's own function is called with an array of one element, to find the dtype of the result and
to raise its errors.
"""

from __future__ import annotations

import builtins
import math
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from biggus.sources.byte_order import native_order
from biggus.statistics.combining import Combining, neutral
from biggus.statistics.digits import Digits, rankable
from biggus.statistics.histogram import (
    BinEdges,
    Bins,
    Histogram,
    HistogramCounts,
    HistogramOfRange,
    countable,
)
from biggus.statistics.layout import COUNT
from biggus.statistics.moments import Moments, wide
from biggus.statistics.nonzero import NonZero
from biggus.statistics.positions import Position, Positions
from biggus.statistics.quantile import Quantiles
from biggus.statistics.registry import ENTRIES
from biggus.statistics.results import Combined, Count, Extreme, Mean, Range, Spread, Sum

if TYPE_CHECKING:
    from biggus.statistics.base import Aggregator, Statistic
    from biggus.statistics.values import AnyArray

Axes: TypeAlias = tuple[int, ...]


class ArrayKind(NamedTuple):
    """The kind of array that a statistic is made for."""

    name: str
    """The name of the statistic."""

    dtype: np.dtype[Any]
    """The dtype of the values."""

    masked: bool
    """Whether values can be missing."""

    shape: Axes
    """The shape of the whole array."""

    axes: Axes
    """The reduced axes."""

    @property
    def length(self) -> int:
        """The number of values that are reduced to one."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def skip(self) -> bool:
        """Whether NaN are missing values."""
        # NumPy skips NaT in extremes only.
        kinds = "fcmMO" if self.name in ("nanmin", "nanmax") else "fcO"
        return self.name.startswith("nan") and self.dtype.kind in kinds

    def probed(self, empty: bool = False, kind: str = "", **parameters: Any) -> np.dtype[Any]:
        """Return the dtype of NumPy's result, or raise NumPy's error.

        Parameters
        ----------
        empty : bool
            Whether an empty array may be an error.
        kind : str
            Distinguishes parameters that are equal, such as 1 and 1.0.
        **parameters
            The parameters of NumPy's function.
        """
        lengths = tuple([min(n, 1) if empty else 1 for n in self.shape])
        return _probed(self.name, self.dtype, lengths, self.axes, tuple(parameters.items()), kind)


@lru_cache(512)
def _probed(
    name: str,
    dtype: np.dtype[Any],
    shape: Axes,
    axes: Axes,
    parameters: tuple[Any, ...],
    kind: str,  # noqa: ARG001 - a part of the key
) -> np.dtype[Any]:
    probe = np.zeros(shape, dtype)
    axis: Any = axes
    if name.removeprefix("nan") in ("argmin", "argmax"):
        # These take one axis, or None for the flattened array.
        axis = axes[0] if len(axes) == 1 else None if len(axes) == len(shape) else axes
    with np.errstate(all="ignore"):
        # keepdims, because a scalar result of objects would have no dtype.
        probed = getattr(np, name)(probe, axis=axis, keepdims=True, **dict(parameters))
    # Some functions return the object itself for 0-d arrays.
    result: np.dtype[Any] = getattr(probed, "dtype", np.dtype(object))
    return result


def statistic(
    name: str,
    dtype: np.dtype[Any],
    masked: bool,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    /,
    **parameters: Any,
) -> Statistic:
    """Return a statistic by its name, for a kind of array.

    Parameters
    ----------
    name : str
        A name in the registry, mostly that of a NumPy function; `count` counts the values that
        are not masked, `histogram_edges` are the edges of `histogram`.
    dtype : numpy.dtype
        The dtype of the values.
    masked : bool
        Whether values can be missing.
    shape : tuple of int
        The shape of the whole array.
    axes : tuple of int
        The reduced axes, ascending.
    **parameters
        The parameters of NumPy's function, other than axes and output; and `mdtol`, the part of
        the values that may be masked before the result is.

    Raises
    ------
    TypeError
        For a dtype or a parameter that NumPy refuses too.
    ValueError
        For a parameter out of range, or for an empty array, if NumPy raises it.

    Examples
    --------
    >>> import numpy as np
    >>> from biggus.statistics import partials
    >>> mean = statistic("mean", np.dtype("f4"), False, (2, 3), (0,))
    >>> block = np.arange(6, dtype="f4").reshape(2, 3)
    >>> [partial] = partials([mean.aggregator], block, (0,), (0, 0))
    >>> mean.proceed(partial)
    array([[1.5, 2.5, 3.5]], dtype=float32)
    """
    if all(type(value) in _CACHEABLE for value in parameters.values()):
        return _known(name, dtype, masked, shape, axes, **parameters)
    return _made(name, dtype, masked, shape, axes, **parameters)


_FRACTIONS = frozenset(map(np.dtype, "efd"))
"""Dtypes of quantiles in which ranks are computed, as in NumPy; others are cast to float64."""

_CACHEABLE = {type(None), bool, int, float, str}
"""Types of parameters for which statistics are cached, by type and value."""


def _made(
    name: str, dtype: np.dtype[Any], masked: bool, shape: Axes, axes: Axes, /, **parameters: Any
) -> Statistic:
    entry = ENTRIES.get(name)
    if entry is None:
        raise ValueError(f"unknown statistic {name!r}; there are {', '.join(sorted(ENTRIES))}")
    if masked and dtype.names is not None:
        raise TypeError(f"{name} of structured values that can be missing; select a field first")
    result: Statistic = entry.make(ArrayKind(name, dtype, masked, shape, axes), **parameters)
    return result


_known = lru_cache(512, typed=True)(_made)


def _tolerance(array: ArrayKind, mdtol: float) -> float:
    if not 0 <= mdtol <= 1:
        raise ValueError(f"mdtol is a part of the values, from 0 to 1, not {mdtol!r}")
    if array.skip and mdtol != 1:
        raise TypeError(f"{array.name} takes no mdtol: NaN and masked values are both skipped")
    return float(mdtol)


def count(array: ArrayKind) -> Statistic:
    """Make `count`."""
    return Count(COUNT, False, Moments(0, COUNT, False), array.length, 1.0)


def total(array: ArrayKind, dtype: Any = None, mdtol: float = 1) -> Statistic:
    """Make sums, products and means."""
    result = array.probed(dtype=_dtype(dtype))
    kind: Any = {"sum": Sum, "prod": Combined, "mean": Mean}[array.name.removeprefix("nan")]
    aggregator: Aggregator = Moments(1, wide(result), array.skip)
    if kind is Combined:
        aggregator = Combining(("multiply",), wide(result), array.skip)
    tolerance = _tolerance(array, mdtol)
    statistic: Statistic = kind(result, array.masked, aggregator, array.length, tolerance)
    return statistic


def spread(
    array: ArrayKind,
    dtype: Any = None,
    ddof: float = 0,
    mdtol: float = 1,
    correction: float | None = None,
) -> Statistic:
    """Make variances and standard deviations."""
    if correction is not None:
        if ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    wanted = _dtype(dtype)
    if wanted is not None and wanted.kind not in ("cO" if array.dtype.kind == "c" else "fcO"):
        raise TypeError(
            f"{array.name} of {array.dtype} of a lazy array is not computed in {wanted}: "
            "cast the values, or call .ndarray()"
        )
    result = array.probed(dtype=wanted)
    values = wanted or array.dtype
    used = np.dtype(np.float64) if values.kind in "biu" else wide(values)
    root = array.name.endswith("std")
    tolerance = _tolerance(array, mdtol)
    aggregator = Moments(2, used, array.skip)
    return Spread(result, array.masked, aggregator, array.length, tolerance, ddof, root)


def extreme(array: ArrayKind, mdtol: float = 1) -> Statistic:
    """Make minima, maxima, and their difference."""
    result = array.probed(empty=True)
    of_both = ("minimum", "maximum")
    name = array.name.removeprefix("nan")
    ufuncs = {"min": of_both[:1], "max": of_both[1:], "ptp": of_both}[name]
    kind = Range if name == "ptp" else Extreme
    aggregator = _extremes(array, *ufuncs)
    return kind(result, array.masked, aggregator, array.length, _tolerance(array, mdtol))


def _extremes(array: ArrayKind, *ufuncs: str) -> Combining:
    if array.masked or array.skip:
        for ufunc in ufuncs:
            neutral(ufunc, array.dtype)
    return Combining(ufuncs, native_order(array.dtype), array.skip)


def logic(array: ArrayKind, mdtol: float = 1) -> Statistic:
    """Make `any` and `all`."""
    result = array.probed()
    aggregator = Combining(
        ("logical_or" if array.name == "any" else "logical_and",), np.dtype(bool), False
    )
    return Combined(result, array.masked, aggregator, array.length, _tolerance(array, mdtol))


def nonzero(array: ArrayKind) -> Statistic:
    """Make `count_nonzero`."""
    array.probed()
    return Count(COUNT, False, NonZero(), array.length, 1.0)


def position(array: ArrayKind) -> Statistic:
    """Make positions of extremes."""
    result = array.probed(empty=True)
    one = len(array.axes) == 1
    aggregator = Positions(
        array.name.endswith("max"),
        native_order(array.dtype),
        array.skip,
        array.axes[0] if one else None,
        () if one else array.shape,
    )
    return Position(result, False, aggregator)


def median(array: ArrayKind) -> Statistic:
    """Make medians."""
    return _quantiles(array, np.asarray(1 / 2), "median", array.probed())


def quantile(array: ArrayKind, q: Any, method: str = "linear", dtype: Any = None) -> Statistic:
    """Make quantiles and percentiles, in a dtype that depends on the type of `q` in NumPy."""
    parts = np.asarray(q)
    if dtype is None:
        empty = not array.name.startswith("nan")
        probed: Any = tuple(parts.reshape(-1).tolist()) if parts.ndim else q
        if isinstance(q, np.ndarray) and not parts.ndim:
            probed = parts[()]  # arrays are not hashable
        kind = f"{type(q).__name__} {parts.dtype.str}"
        dtype = array.probed(empty=empty, q=probed, method=method, kind=kind)
    if parts.dtype not in _FRACTIONS:
        parts = parts.astype(np.float64)
    if array.name.endswith("percentile"):
        parts = np.asarray(parts / 100)
    elif np.asarray(q).dtype.kind in "iub" and method == "linear":
        method = "lower"  # NumPy does not interpolate for the integers 0 and 1
    return _quantiles(array, parts, method, dtype)


def _quantiles(array: ArrayKind, q: AnyArray, method: str, result: np.dtype[Any]) -> Statistic:
    _over_everything(array)
    if not rankable(array.dtype):
        raise TypeError(f"{array.name} over all values takes no {array.dtype}; give an axis")
    skip = array.name.startswith("nan") and array.dtype.kind in "fmM"
    aggregator = Digits(native_order(array.dtype), skip, (0,), 0)
    fractions = tuple(q.reshape(-1).tolist())
    dims = len(array.shape)
    return Quantiles(result, array.masked, aggregator, dims, fractions, q.shape, method, q.dtype)


def histogram(
    array: ArrayKind,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: bool = False,
) -> Statistic:
    """Make histograms; or the edges of a number of bins between the extremes of the values."""
    _over_everything(array)
    if array.dtype.kind == "O":
        raise TypeError("a histogram takes no objects; cast them to another dtype first")
    if isinstance(bins, str):
        raise TypeError(f"`bins={bins!r}` would need all values at once; give a number or edges")
    values = np.zeros(1, countable(array.dtype))
    counts, edges = np.histogram(values, bins, range, density=density)
    dims, density = len(array.shape), bool(density)
    if np.ndim(bins):
        known = Bins(BinEdges.of(np.asarray(bins)), None)
    elif range is not None:
        known = Bins(operator.index(bins), (range[0], range[1]))
    else:
        extremes, number = _extremes(array, "minimum", "maximum"), operator.index(bins)
        of_edges = array.name == "histogram_edges"
        dtype = edges.dtype if of_edges else counts.dtype
        return HistogramOfRange(
            dtype, False, extremes, dims, number, density, of_edges, extremes.dtype
        )
    return HistogramCounts(counts.dtype, False, Histogram(known), dims, density, BinEdges.of(edges))


def _over_everything(array: ArrayKind) -> None:
    if array.axes != tuple(builtins.range(len(array.shape))):
        raise ValueError(f"{array.name} is computed over all axes, not along {array.axes}")


def _dtype(dtype: Any) -> np.dtype[Any] | None:
    return None if dtype is None else np.dtype(dtype)
