"""Several arrays read and computed together: each chunk once, where that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus import engine
from biggus.adapt import node_of, several
from biggus.array import filling
from biggus.errors import ReadLimitError
from biggus.options import format_bytes, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from biggus.graph import Node
    from biggus.planning.report import Plan


def ndarrays(
    arrays: Iterable[Any], *, fill: Any = None, max_bytes: int | str | None = None
) -> list[npt.NDArray[Any]]:
    """Read and compute several arrays in as few passes over the data as it takes.

    What they have in common is read and computed once; chunks are read once a
    pass where the grids of what is computed nest.

    Parameters
    ----------
    arrays : iterable of Array
        What is wanted; objects that can be made arrays will do.
    fill : scalar, optional
        What to put in the place of missing values; as for :meth:`Array.ndarray`.
    max_bytes : int or str, optional
        How much may be read for it, such as ``"10 GB"``: more is refused beforehand.

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
    ReadLimitError
        If more than `max_bytes` would have to be read.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(3, 4))
    >>> biggus.ndarrays([a.mean(), a.max(axis=0)])
    [array(5.5), array([ 8.,  9., 10., 11.])]
    """
    found = engine.evaluate_all(_allowed(arrays, max_bytes))
    return [filling.filled(values, fill) for values in found]


def masked_arrays(
    arrays: Iterable[Any], *, max_bytes: int | str | None = None
) -> list[np.ma.MaskedArray[Any, Any]]:
    """Read and compute several arrays together, as MaskedArrays.

    Parameters
    ----------
    arrays : iterable of Array
        As for :func:`biggus.ndarrays`.
    max_bytes : int or str, optional
        How much may be read for it: more is refused beforehand.

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
    ReadLimitError
        If more than `max_bytes` would have to be read.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.ma.masked_equal([[1, 0], [3, 5]], 0))
    >>> biggus.masked_arrays([a.sum(axis=0), a.count()])[0].tolist()
    [4, 5]
    """
    return [filling.masked(values) for values in engine.evaluate_all(_allowed(arrays, max_bytes))]


def plan(arrays: Iterable[Any], *, max_bytes: int | str | None = None) -> Plan:
    """Tell what reading and computing several arrays together would do; nothing is read.

    Parameters
    ----------
    arrays : iterable of Array
        As for :func:`biggus.ndarrays`.
    max_bytes : int or str, optional
        How much may be read for it: more is refused.

    Returns
    -------
    Plan
        Passes over the data, tasks, reads, bytes to be read and those in a cache, and
        the most memory; it prints as a table of passes.

    Raises
    ------
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.
    ReadLimitError
        If more than `max_bytes` would have to be read.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> class Zeros:
    ...     shape, dtype = (1000, 1000), np.dtype("f4")
    ...
    ...     def __getitem__(self, box):
    ...         return np.zeros([len(range(s.start, s.stop, s.step)) for s in box], "f4")
    >>> a = biggus.ArrayAdapter(Zeros(), chunks=(100, 1000))
    >>> plan = biggus.plan([(a - a.mean(axis=0)).std()])
    >>> len(plan.passes), plan.read_bytes
    (2, 8000000)
    """
    return _estimated([node_of(array) for array in several(arrays)], max_bytes)


def _allowed(arrays: Iterable[Any], max_bytes: int | str | None) -> list[Node]:
    """Return the nodes of arrays, if no more than so much is to be read for them."""
    nodes = [node_of(array) for array in several(arrays)]
    if max_bytes is not None:
        _estimated(nodes, max_bytes)
    return nodes


def _estimated(nodes: list[Node], max_bytes: int | str | None) -> Plan:
    found = engine.estimate(nodes)
    if max_bytes is not None and found.read_bytes > parse_size(max_bytes):
        raise ReadLimitError(
            f"{format_bytes(found.read_bytes)} would be read, more than the "
            f"{format_bytes(parse_size(max_bytes))} allowed"
        )
    return found
