"""`coarsen`: statistics of adjacent windows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from biggus.array import Array
from biggus.functions.elementwise import as_array
from biggus.labels import numbered
from biggus.reductions.windows import of_windows
from biggus.sources.normal import normal_axis


def coarsen(
    array: Any,
    windows: Mapping[int | str, int],
    func: str | Callable[..., Any] = "mean",
    boundary: Literal["exact", "trim", "pad"] = "exact",
    **parameters: Any,
) -> Array:
    """Compute a statistic of adjacent windows, as `coarsen` of dask and xarray.

    Parameters
    ----------
    array : Array or array_like
        The values.
    windows : mapping of int or str to int
        The lengths of the windows, by the number or name of the axis.
    func : str or callable, optional
        The name of a statistic, such as "mean", "max", "nanmean", "std" or "median"; or the
        function of NumPy of that name.
    boundary : {"exact", "trim", "pad"}, optional
        What to do with values at the end of an axis that do not fill a window: raise an error,
        drop them, or compute the statistic of an incomplete window.
    **parameters
        Further arguments of the statistic, such as ``ddof``.

    Returns
    -------
    Array
        A lazy array.  Reading a selection reads the chunks that contain its windows.

    Raises
    ------
    ValueError
        If there is no such statistic; or if windows do not fill an axis and `boundary` is
        "exact".

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(2, 6))
    >>> biggus.coarsen(a, {1: 3}).ndarray()
    array([[ 1.,  4.],
           [ 7., 10.]])
    """
    values = as_array(array)
    if not isinstance(windows, Mapping):
        raise TypeError(f"windows are given by axis, as in {{'lat': 2}}, not as {windows!r}")
    factors: dict[int, int] = {}
    for axis, length in windows.items():
        place = normal_axis(numbered(values.node, axis), values.ndim)
        factors[place] = operator.index(length)
        if factors[place] < 1:
            raise ValueError(f"a window has at least one value, not {length}")
    if boundary not in ("exact", "trim", "pad"):
        raise ValueError(f"boundary is 'exact', 'trim' or 'pad', not {boundary!r}")
    for axis, factor in factors.items():
        if boundary == "exact" and values.shape[axis] % factor:
            raise ValueError(
                f"windows of {factor} do not fill axis {axis}, which has {values.shape[axis]} "
                "values: pass `boundary='trim'` or 'pad'"
            )
    name = func if isinstance(func, str) else getattr(func, "__name__", str(func))
    name = {"amin": "min", "amax": "max"}.get(name, name)
    factors = {axis: factors[axis] for axis in sorted(factors)}
    node = of_windows(values.node, name, factors, parameters, boundary == "trim")
    return Array.from_node(node)
