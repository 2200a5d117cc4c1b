"""Evaluating several arrays together: shared parts are read and computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus import engine
from biggus.adapt import nodes_of
from biggus.array import Array, filling
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
    """Evaluate several arrays together, in as few passes over the data as possible.

    Subexpressions that the arrays share are read and computed once.  In each pass a chunk is
    read once, provided that the chunk grids of the arrays nest.

    Parameters
    ----------
    arrays : iterable of Array or array_like
        The arrays to evaluate.
    fill : scalar, optional
        The value to replace missing values with, as in :meth:`Array.ndarray`.
    max_bytes : int or str, optional
        The most bytes to read, such as ``"10 GB"``.  If the arrays need more, nothing is read.

    Returns
    -------
    list of ndarray
        New, writable arrays, in the order of `arrays`.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If the computation does not fit into the ``memory`` option.
    MaskedValueError
        If a value is missing, `fill` is not given, and the dtype has neither NaN nor NaT.
    ReadLimitError
        If more than `max_bytes` would be read.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(3, 4))
    >>> biggus.ndarrays([a.mean(), a.max(axis=0)])
    [array(5.5), array([ 8.,  9., 10., 11.])]
    """
    results = engine.evaluate_all(_allowed(arrays, max_bytes))
    return [filling.filled(values, fill) for values in results]


def masked_arrays(
    arrays: Iterable[Any], *, max_bytes: int | str | None = None
) -> list[np.ma.MaskedArray[Any, Any]]:
    """Evaluate several arrays together, as MaskedArrays.

    Parameters
    ----------
    arrays : iterable of Array or array_like
        The arrays to evaluate.
    max_bytes : int or str, optional
        The most bytes to read.  If the arrays need more, nothing is read.

    Returns
    -------
    list of MaskedArray
        New arrays with full masks, in the order of `arrays`.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If the computation does not fit into the ``memory`` option.
    ReadLimitError
        If more than `max_bytes` would be read.

    See Also
    --------
    ndarrays : The same, as plain ndarrays.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.ma.masked_equal([[1, 0], [3, 5]], 0))
    >>> biggus.masked_arrays([a.sum(axis=0), a.count()])[0].tolist()
    [4, 5]
    """
    return [filling.masked(values) for values in engine.evaluate_all(_allowed(arrays, max_bytes))]


def plan(arrays: Array | Iterable[Any], *, max_bytes: int | str | None = None) -> Plan:
    """Plan the evaluation of an array, or of several together, without reading anything.

    Parameters
    ----------
    arrays : Array, or iterable of Array or array_like
        One array, or several as for :func:`ndarrays`.
    max_bytes : int or str, optional
        The most bytes that may be read.

    Returns
    -------
    Plan
        The passes over the data, with their tasks, reads, bytes to read, bytes already cached,
        and peak memory.  It prints as a table of passes.

    Raises
    ------
    MemoryBudgetError
        If the computation does not fit into the ``memory`` option.
    ReadLimitError
        If more than `max_bytes` would be read.

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
    together = [arrays] if isinstance(arrays, Array) else arrays
    return _estimated(nodes_of(together), max_bytes)


def _allowed(arrays: Iterable[Any], max_bytes: int | str | None) -> list[Node]:
    """Return the nodes of arrays, after checking that they need no more than `max_bytes`."""
    nodes = nodes_of(arrays)
    if max_bytes is not None:
        _estimated(nodes, max_bytes)
    return nodes


def _estimated(nodes: list[Node], max_bytes: int | str | None) -> Plan:
    estimated = engine.estimate(nodes)
    if max_bytes is not None and estimated.read_bytes > parse_size(max_bytes):
        raise ReadLimitError(
            f"{format_bytes(estimated.read_bytes)} would be read, more than the "
            f"{format_bytes(parse_size(max_bytes))} allowed"
        )
    return estimated
