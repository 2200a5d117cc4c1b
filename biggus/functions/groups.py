"""`groupby_reduce`: statistics of groups, in one pass over the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from biggus import engine
from biggus.array import Array
from biggus.functions.elementwise import as_array
from biggus.graph import Reduce
from biggus.labels import numbered
from biggus.sources.normal import normal_axes
from biggus.support.forks import between_forks


def groupby_reduce(
    array: Any,
    labels: Any,
    func: str,
    axis: int | str | tuple[int | str, ...] | None = None,
    **parameters: Any,
) -> tuple[Array, npt.NDArray[Any]]:
    """Compute a statistic of each group of values, as `flox.groupby_reduce`.

    All groups are accumulated in one pass over the data, however many there are.

    Parameters
    ----------
    array : Array or array_like
        The values.
    labels : array_like
        The label of the group of each position along `axis`.  They are read at once.
        Positions whose label is NaN, NaT or masked are in no group.
    func : str
        The statistic: "sum", "prod", "mean", "min", "max", "ptp", "var", "std", "any", "all",
        "count", "count_nonzero", "first" or "last"; the last two need labels along one axis.
        With the prefix "nan", NaN are skipped, for those statistics of which NumPy has such a
        function, and for "first" and "last".
    axis : int or str, or tuple of them, optional
        The axes of `labels`, by number or name; by default the last axes of `array`.
    **parameters
        Further arguments of the statistic, such as ``ddof`` or ``dtype``.

    Returns
    -------
    result : Array
        A lazy array, whose last axis has one element for each group.  The axis has the name of
        the labels, if they are a named array of biggus, xarray or pandas, and is called
        ``group`` otherwise.  The labels are its coordinate, unless they are times.
    groups : ndarray
        The labels in ascending order.

    Raises
    ------
    ValueError
        If there is no such statistic, or the shape of the labels does not fit.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(2, 6))
    >>> means, months = biggus.groupby_reduce(a, [1, 2, 3, 1, 2, 3], "mean")
    >>> means.ndarray()
    array([[1.5, 2.5, 3.5],
           [7.5, 8.5, 9.5]])
    """
    values = as_array(array)
    known: Any = (
        engine.evaluate(labels.node) if isinstance(labels, Array) else np.asanyarray(labels)
    )
    if axis is None:
        axes = tuple(range(values.ndim - known.ndim, values.ndim))
    else:
        axes = normal_axes(numbered(values.node, axis), values.ndim)
    if known.shape != tuple([values.shape[one] for one in axes if one >= 0]) or not known.ndim:
        raise ValueError(
            f"labels of shape {known.shape} do not fit the axes {axes} of shape {values.shape}: "
            "give the label of each position along the axes"
        )
    order = sorted(range(len(axes)), key=axes.__getitem__)
    groups, numbers = _numbered(known.transpose(order))
    with between_forks():
        from biggus.statistics.groups import Groups  # imported late, for it imports much
    axes = tuple(sorted(axes))
    name = getattr(labels, "name", None)
    ids = Groups(numbers, axes, groups, name if isinstance(name, str) else "")
    node = Reduce(values.node, "grouped", axes, groups=ids, func=func, **parameters)
    return Array.from_node(node), groups


def _numbered(labels: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Return the distinct labels, and the index of each label; their number if there is none."""
    missing = np.array(np.ma.getmaskarray(labels))
    values = np.ma.getdata(labels)
    if values.dtype.kind in "fcmM":
        missing |= np.isnan(values)
    groups, places = np.unique(values[~missing], return_inverse=True)
    numbers = np.full(values.shape, len(groups), np.intp)
    numbers[~missing] = places
    return groups, numbers
