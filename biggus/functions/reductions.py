"""Statistics of arrays, by NumPy's names: a table of what each is, and what they share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import reductions
from biggus.adapt import node_of
from biggus.array import Array, implements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Function: TypeAlias = Callable[..., Array]

_PARAMETERS = {
    "a": """a : Array
        Or anything that becomes one.""",
    "q": """q : array_like of float
        Which, from 0 to 1 (percentiles: to 100); the axes of several come first.""",
    "axis": """axis : int, tuple of int or None, optional
        Along which; None: of all values.""",
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

_MOMENTS = """Means, and squares of deviations from them, are merged in a tree that depends on the
    chunks alone (Chan, Golub and LeVeque, 1983); float16 and float32 are accumulated in
    float64."""

_RANKS = """Of all values, they are found exactly, in memory that does not grow with the data: a few
    passes count them by the leading digits of their place in the order (a radix selection)."""

_NOTES = {
    **dict.fromkeys(("mean", "var", "std"), _MOMENTS),
    "sum": """What rounding takes when parts are added up is carried along (Knuth's two-sum);
    float16 and float32 are accumulated in float64.""",
    **dict.fromkeys(("median", "quantile", "percentile"), _RANKS),
}
"""Whose method it is, by the name without ``nan``."""

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
    {whole}
    >>> biggus.{name}(a{q}, axis=0).ndarray()
    {along}
"""

_MDTOL_OF_TWINS = """mdtol : float, optional
        1: NaN and masked values count alike."""

_WITHOUT_NAN = "NaN are left out, as masked values are."


def _reduction(name: str, summary: str, whole: str, along: str) -> Function:
    """Return the function of a reduction.

    Parameters
    ----------
    name : str
        NumPy's, or that of np.ma.
    summary : str
        What it is, in a line.
    whole, along : str
        What the example shows: of all values, and along axis 0.
    """
    function = reductions.REDUCTIONS[name]

    def reduce(a: Any, *arguments: Any, **keywords: Any) -> Array:
        return Array.from_node(function(node_of(a), *arguments, **keywords))

    signature = inspect.signature(function)
    lines = [text for word, text in _PARAMETERS.items() if word in signature.parameters]
    if name.startswith("nan") and "mdtol" in signature.parameters:
        lines[-1] = _MDTOL_OF_TWINS
    refused = [word for word in signature.parameters if word not in _PARAMETERS]
    if refused:
        its = "its place" if len(refused) == 1 else "their places"
        lines.append(_REFUSED.format(names=", ".join(refused), its=its))
    more = f"\n\n    {_WITHOUT_NAN}" if name.startswith("nan") else ""
    note = _NOTES.get(name.removeprefix("nan"))
    notes = f"\n    Notes\n    -----\n    {note}\n" if note else ""
    q = ", 0.5" if name.endswith("quantile") else ", 50" if name.endswith("percentile") else ""
    example = _EXAMPLE.format(name=name, whole=whole, along=along, q=q)
    taken = "\n    ".join(["", "Parameters", "----------", *lines])
    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"{summary}{more}\n{taken}\n{_RETURNS}{notes}{example}"
    reduce.__signature__ = signature  # type: ignore[attr-defined]
    handed_over = [getattr(np, alias) for alias in (name, f"a{name}") if alias in _NUMPYS]
    return implements(*handed_over)(reduce)


_NUMPYS = frozenset(dir(np))

sum = _reduction("sum", "Return the sum.", "array(15.)", "array([4., 2., 9.])")
prod = _reduction("prod", "Return the product.", "array(0.)", "array([ 3.,  0., 18.])")
min = _reduction("min", "Return the least value.", "array(0.)", "array([1., 0., 3.])")
max = _reduction("max", "Return the greatest value.", "array(6.)", "array([3., 2., 6.])")
ptp = _reduction(
    "ptp",
    "Return the greatest value less the least.",
    "array(6.)",
    "array([2., 2., 3.])",
)
mean = _reduction("mean", "Return the mean.", "array(2.5)", "array([2. , 1. , 4.5])")
var = _reduction("var", "Return the variance.", "array(3.58333333)", "array([1.  , 1.  , 2.25])")
std = _reduction(
    "std", "Return the standard deviation.", "array(1.89296945)", "array([1. , 1. , 1.5])"
)
any = _reduction(
    "any", "Return whether any value is true.", "array(True)", "array([ True,  True,  True])"
)
all = _reduction(
    "all", "Return whether all values are true.", "array(False)", "array([ True, False,  True])"
)
argmin = _reduction(
    "argmin",
    "Return where the first least value is.",
    "array(4)",
    "array([0, 1, 1])",
)
argmax = _reduction(
    "argmax",
    "Return where the first greatest value is.",
    "array(2)",
    "array([1, 0, 0])",
)
count = _reduction("count", "Return how many values are there.", "array(6)", "array([2, 2, 2])")
count_nonzero = _reduction(
    "count_nonzero", "Return how many values are not zero.", "array(5)", "array([2, 1, 2])"
)
median = _reduction("median", "Return the median.", "array(2.5)", "array([2. , 1. , 4.5])")
quantile = _reduction("quantile", "Return quantiles.", "array(2.5)", "array([2. , 1. , 4.5])")
percentile = _reduction("percentile", "Return percentiles.", "array(2.5)", "array([2. , 1. , 4.5])")

nansum = _reduction("nansum", "Return the sum.", "array(15.)", "array([4., 2., 9.])")
nanprod = _reduction("nanprod", "Return the product.", "array(0.)", "array([ 3.,  0., 18.])")
nanmin = _reduction("nanmin", "Return the least value.", "array(0.)", "array([1., 0., 3.])")
nanmax = _reduction("nanmax", "Return the greatest value.", "array(6.)", "array([3., 2., 6.])")
nanmean = _reduction("nanmean", "Return the mean.", "array(2.5)", "array([2. , 1. , 4.5])")
nanvar = _reduction(
    "nanvar", "Return the variance.", "array(3.58333333)", "array([1.  , 1.  , 2.25])"
)
nanstd = _reduction(
    "nanstd", "Return the standard deviation.", "array(1.89296945)", "array([1. , 1. , 1.5])"
)
nanargmin = _reduction(
    "nanargmin",
    "Return where the first least value is.",
    "array(4)",
    "array([0, 1, 1])",
)
nanargmax = _reduction(
    "nanargmax",
    "Return where the first greatest value is.",
    "array(2)",
    "array([1, 0, 0])",
)
nanmedian = _reduction("nanmedian", "Return the median.", "array(2.5)", "array([2. , 1. , 4.5])")
nanquantile = _reduction("nanquantile", "Return quantiles.", "array(2.5)", "array([2. , 1. , 4.5])")
nanpercentile = _reduction(
    "nanpercentile", "Return percentiles.", "array(2.5)", "array([2. , 1. , 4.5])"
)


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
