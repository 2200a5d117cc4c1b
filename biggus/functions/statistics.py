"""Statistics, with NumPy's names and arguments; they are made from the registry of statistics."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import reductions
from biggus.adapt import node_of
from biggus.array import Array, implements
from biggus.array.statistics import method_of
from biggus.functions.elementwise import as_array
from biggus.statistics.registry import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Function: TypeAlias = Callable[..., Array]

_PARAMETERS = {
    "a": """a : Array or array_like
        The values.""",
    "q": """q : array_like of float
        The quantiles, from 0 to 1 (percentiles: from 0 to 100).  The axes of several
        quantiles are the first axes of the result.""",
    "axis": """axis : int or str, or tuple of them, optional
        The axes to reduce, by number or name; by default all.""",
    "dtype": """dtype : dtype, optional
        The dtype of the result, and of the computation.""",
    "ddof": """ddof : float, optional
        The divisor is the number of values minus `ddof`.""",
    "method": """method : str, optional
        How to interpolate, as in :func:`numpy.quantile`.""",
    "keepdims": """keepdims : bool, optional
        Whether to keep the reduced axes, with length one.""",
    "initial": """initial : float, optional
        The value to begin with, as in :func:`numpy.sum` and :func:`numpy.max`.""",
    "where": """where : Array or array_like of bool, optional
        Which values to include; it is broadcast to the shape of `a`.""",
    "correction": """correction : float, optional
        Another name of `ddof`.""",
    "mdtol": """mdtol : float, optional
        The fraction of values, from 0 to 1, that may be masked.  If more are, so is the
        result.  It is always masked if all values are.""",
}
"""The descriptions of parameters.  The others are parameters of NumPy's that are refused."""

_REFUSED = """{names}
        Not supported; {its} for NumPy's signature."""

_RETURNS = """
    Returns
    -------
    Array
        A lazy array, of the shape and dtype that NumPy returns.

    Raises
    ------
    AxisError
        If there is no such axis.
    TypeError
        If the dtype has no such statistic, or an argument is not supported.
"""

_EXAMPLE = """
    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.array([[1.0, 2.0, 6.0], [3.0, 0.0, 3.0]]))
    >>> biggus.{name}(a{q}).ndarray()
    array({whole})
    >>> biggus.{name}(a{q}, axis=0).ndarray()
    array({along})
"""

_MDTOL_OF_TWINS = """mdtol : float, optional
        1: NaN and masked values are treated alike."""

_WITHOUT_NAN = "NaN are skipped, like masked values."


def function_of(name: str) -> Function:
    """Return the function of a statistic in the registry; NumPy's own dispatch to it."""
    entry = ENTRIES[name]
    method = method_of(name)

    def reduce(a: Any, *arguments: Any, **keywords: Any) -> Array:
        return method(as_array(a), *arguments, **keywords)

    signature = inspect.signature(method)
    first, *others = signature.parameters.values()
    signature = signature.replace(parameters=[first.replace(name="a"), *others])
    words = signature.parameters
    lines = [text for word, text in _PARAMETERS.items() if word in words]
    if name.startswith("nan") and "mdtol" in words:
        lines[-1] = _MDTOL_OF_TWINS
    refused = [word for word in words if word not in _PARAMETERS]
    if refused:
        its = "it is here" if len(refused) == 1 else "they are here"
        lines.append(_REFUSED.format(names=", ".join(refused), its=its))
    more = f"\n\n    {_WITHOUT_NAN}" if name.startswith("nan") else ""
    notes = f"\n    Notes\n    -----\n    {entry.note}\n" if entry.note else ""
    q = ", 0.5" if name.endswith("quantile") else ", 50" if name.endswith("percentile") else ""
    example = _EXAMPLE.format(name=name, whole=entry.whole, along=entry.along, q=q)
    parameters = "\n    ".join(["", "Parameters", "----------", *lines])
    reduce.__name__ = reduce.__qualname__ = name
    like = f", as :func:`numpy.{name}`" if hasattr(np, name) else ""
    reduce.__doc__ = (
        f"Return {entry.summary}{like}.{more}\n{parameters}\n{_RETURNS}{notes}{example}"
    )
    reduce.__signature__ = signature  # type: ignore[attr-defined]
    handed_over = [getattr(np, alias, None) for alias in (name, f"a{name}")]
    return implements(*[function for function in handed_over if function is not None])(reduce)


@implements(np.histogram)
def histogram(
    a: Any,
    bins: int | Sequence[float] | npt.NDArray[Any] = 10,
    range: tuple[float, float] | None = None,
    density: bool | None = None,
    weights: None = None,
) -> tuple[Array, Array]:
    """Count the values in each of several bins, as :func:`numpy.histogram`.

    If neither edges nor `range` are given, an additional pass over the data finds the least and
    the greatest value.

    Parameters
    ----------
    a : Array or array_like
        The values.  Masked values are not counted.
    bins : int or sequence of float, optional
        The number of bins of equal width, or the edges of the bins.
    range : (float, float), optional
        The lower and the upper end of the bins; by default the least and the greatest value.
    density : bool, optional
        Whether to return the probability density, whose integral is 1, instead of counts.
    weights : None
        Not supported; it is here for NumPy's signature.

    Returns
    -------
    counts : Array
        The counts, a lazy array of int64; of float64 with `density`.
    edges : Array
        The edges of the bins, a lazy array of float64, one more than there are bins.

    Raises
    ------
    ValueError
        If `bins` or `range` is invalid.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> counts, edges = biggus.histogram(biggus.ArrayAdapter(np.arange(10)), 3)
    >>> counts.ndarray()
    array([3, 3, 4])
    >>> edges.ndarray()
    array([0., 3., 6., 9.])
    """
    counts, edges = reductions.histogram(node_of(a), bins, range, density, weights)
    return Array.from_node(counts), Array.from_node(edges)


@implements(np.histogram_bin_edges)
def _edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    return Array.from_node(reductions.histogram_edges(node_of(a), bins, range, weights))


STATISTICS = [name for name, entry in ENTRIES.items() if entry.signature is not None]
"""The names of the functions that are made from the registry."""

if TYPE_CHECKING:

    def __getattr__(name: str) -> Function: ...


globals().update({name: function_of(name) for name in STATISTICS})
