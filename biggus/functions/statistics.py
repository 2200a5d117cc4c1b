"""Functions of statistics, by NumPy's names: made of what the registry says of each."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import reductions
from biggus.adapt import node_of
from biggus.array import Array, implements
from biggus.labels import numbered_call
from biggus.statistics.registry import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Function: TypeAlias = Callable[..., Array]

_PARAMETERS = {
    "a": """a : Array
        Or anything that becomes one.""",
    "q": """q : array_like of float
        Which, from 0 to 1 (percentiles: to 100); the axes of several come first.""",
    "axis": """axis : int or str, tuple of them or None, optional
        Along which, by number or name; None: of all values.""",
    "dtype": """dtype : dtype, optional
        Of the result, and of the arithmetic.""",
    "ddof": """ddof : float, optional
        What is taken from the number of values before it divides.""",
    "method": """method : str, optional
        How to choose between neighbours, as for :func:`numpy.quantile`.""",
    "keepdims": """keepdims : bool, optional
        Whether the axes stay, at length one.""",
    "correction": """correction : float, optional
        Another name of `ddof`.""",
    "mdtol": """mdtol : float, optional
        The part of the values, from 0 to 1, that may be masked before the result
        is; where all are, it always is.""",
}
"""What is said of a parameter.  The others have their places in NumPy's signatures
only: they are refused, with the way round."""

_REFUSED = """{names}
        For {its} in NumPy's signature: anything but what NumPy takes for nothing is refused."""

_RETURNS = """
    Returns
    -------
    Array
        Lazy, of NumPy's shape and dtype.

    Raises
    ------
    AxisError
        If there is no such axis.
    TypeError
        If the dtype has no such statistic, or an argument is not one that is taken.
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
        1: NaN and masked values count alike."""

_WITHOUT_NAN = "NaN are left out, as masked values are."


def function_of(name: str) -> Function:
    """Return the function of a statistic in the registry, which NumPy's own hand over to."""
    entry = ENTRIES[name]
    assert entry.signature is not None

    place = list(inspect.signature(entry.signature).parameters).index("axis") - 1

    def reduce(a: Any, *arguments: Any, **keywords: Any) -> Array:
        node = node_of(a)
        arguments, keywords = numbered_call(node, place, arguments, keywords)
        return Array.from_node(reductions.reduction(name, node, *arguments, **keywords))

    first = inspect.Parameter("a", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    _, *others = inspect.signature(entry.signature).parameters.values()
    signature = inspect.Signature([first, *others], return_annotation="Array")
    words = signature.parameters
    lines = [said for word, said in _PARAMETERS.items() if word in words]
    if name.startswith("nan") and "mdtol" in words:
        lines[-1] = _MDTOL_OF_TWINS
    refused = [word for word in words if word not in _PARAMETERS]
    if refused:
        its = "its place" if len(refused) == 1 else "their places"
        lines.append(_REFUSED.format(names=", ".join(refused), its=its))
    more = f"\n\n    {_WITHOUT_NAN}" if name.startswith("nan") else ""
    notes = f"\n    Notes\n    -----\n    {entry.note}\n" if entry.note else ""
    q = ", 0.5" if name.endswith("quantile") else ", 50" if name.endswith("percentile") else ""
    example = _EXAMPLE.format(name=name, whole=entry.whole, along=entry.along, q=q)
    taken = "\n    ".join(["", "Parameters", "----------", *lines])
    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"Return {entry.summary}.{more}\n{taken}\n{_RETURNS}{notes}{example}"
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
    """Return how many values are in each bin, and the edges of the bins.

    Without edges and without a range the least and the greatest value are found
    first, in a pass over the data of their own.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.  Masked values are not counted.
    bins : int or sequence of float, optional
        How many, all of one width; or their edges.
    range : (float, float), optional
        From where to where; from the least value to the greatest if not given.
    density : bool, optional
        Whether to return the density of the distribution, the integral of which is 1.
    weights : None
        Every value counts once.

    Returns
    -------
    counts, edges : Array
        Lazy; of int64, or of float64 with `density`; one edge more than there are bins.

    Raises
    ------
    ValueError
        If bins or range are none.

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
    # For those who check types: a test holds it to the registry.
    all: Function
    any: Function
    argmax: Function
    argmin: Function
    count: Function
    count_nonzero: Function
    max: Function
    mean: Function
    median: Function
    min: Function
    nanargmax: Function
    nanargmin: Function
    nanmax: Function
    nanmean: Function
    nanmedian: Function
    nanmin: Function
    nanpercentile: Function
    nanprod: Function
    nanquantile: Function
    nanstd: Function
    nansum: Function
    nanvar: Function
    percentile: Function
    prod: Function
    ptp: Function
    quantile: Function
    std: Function
    sum: Function
    var: Function

globals().update({name: function_of(name) for name in STATISTICS})
