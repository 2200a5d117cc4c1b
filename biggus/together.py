"""Several arrays read and computed together: each chunk once, where that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus import engine, filling
from biggus.adapt import node_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from biggus.nodes import Node


def ndarrays(arrays: Sequence[Any], *, fill: Any = None) -> list[npt.NDArray[Any]]:
    """Read and compute several arrays in as few passes over the data as it takes.

    What they have in common is read and computed once; chunks are read once a
    pass where the grids of what is computed nest.

    Parameters
    ----------
    arrays : sequence of Array
        What is wanted; objects that can be made arrays will do.
    fill : scalar, optional
        What to put in the place of missing values; as for :meth:`Array.ndarray`.

    Returns
    -------
    list of ndarray
        Fresh and writable, in the order of `arrays`.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.
    MaskedValueError
        If a value is missing and there is nothing to put in its place.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(3, 4))
    >>> biggus.ndarrays([a.mean(), a.max(axis=0)])
    [array(5.5), array([ 8.,  9., 10., 11.])]
    """
    found = engine.evaluate_all(_nodes(arrays))
    return [filling.filled(values, fill) for values in found]


def masked_arrays(arrays: Sequence[Any]) -> list[np.ma.MaskedArray[Any, Any]]:
    """Read and compute several arrays together, as MaskedArrays.

    Parameters
    ----------
    arrays : sequence of Array
        As for :func:`biggus.ndarrays`.

    Returns
    -------
    list of MaskedArray
        Fresh, with full masks, in the order of `arrays`.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.ma.masked_equal([[1, 0], [3, 5]], 0))
    >>> biggus.masked_arrays([a.sum(axis=0), a.count()])[0].tolist()
    [4, 5]
    """
    return [filling.masked(values) for values in engine.evaluate_all(_nodes(arrays))]


def _nodes(arrays: Sequence[Any]) -> list[Node]:
    if hasattr(arrays, "node") or not hasattr(arrays, "__iter__"):
        raise TypeError("pass a sequence of arrays, as in biggus.ndarrays([a.mean(), a.std()])")
    return [node_of(array) for array in arrays]
