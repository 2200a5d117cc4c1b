"""Statistics of windows side by side: an array with fewer values."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal

from biggus.array import Array
from biggus.functions.elementwise import as_array
from biggus.labels import numbered
from biggus.reductions.windows import of_windows
from biggus.sources.normal import normal_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def coarsen(
    array: Any,
    windows: Mapping[int | str, int],
    func: str | Callable[..., Any] = "mean",
    boundary: Literal["exact", "trim", "pad"] = "exact",
    **parameters: Any,
) -> Array:
    """Return a statistic of windows side by side, as `coarsen` of dask and xarray does.

    Parameters
    ----------
    array : Array
        Or anything that becomes one.
    windows : mapping
        How many values along an axis become one; axes by number or name.
    func : str or callable, optional
        A statistic of biggus, such as "mean", "max", "nanmean", "std" or "median"; or NumPy's
        function of such a name.
    boundary : {"exact", "trim", "pad"}, optional
        What to do of values at the end of an axis that fill no window: to refuse them, to leave
        them out, or to have a window of what there is.
    **parameters
        What the statistic takes besides, such as ``ddof``.

    Returns
    -------
    Array
        Lazy.  Of a selection the chunks are read that its windows lie in.

    Raises
    ------
    ValueError
        If there is no such statistic, or values are left over.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(2, 6))
    >>> biggus.coarsen(a, {1: 3}).ndarray()
    array([[ 1.,  4.],
           [ 7., 10.]])
    """
    values = as_array(array)
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
                "values: say boundary='trim' or 'pad'"
            )
    name = func if isinstance(func, str) else getattr(func, "__name__", str(func))
    name = {"amin": "min", "amax": "max"}.get(name, name)
    factors = {axis: factors[axis] for axis in sorted(factors)}
    node = of_windows(values.node, name, factors, parameters, boundary == "trim")
    return Array.from_node(node)
