"""The registry of statistics: each has one row here.

Its function, its method, its handler of NumPy's own function and their docstrings are made from
the row.  The modules that compute a statistic are imported when it is first used.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.statistics import signatures as asks
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.statistics.signatures import StatisticCall


class Row(NamedTuple):
    """A statistic."""

    name: str
    """The name in NumPy or np.ma."""

    maker: str
    """The function that makes it: a function of `makers`, or ``"module:function"``."""

    signature: Callable[..., StatisticCall] | None = None
    """A function with its signature; None if it has a function of its own."""

    summary: str = ""
    """The first line of its docstring, after "Return "."""

    whole: str = ""
    """The result of the example in its docstring, over all values."""

    along: str = ""
    """The result of the example along axis 0."""

    note: str = ""
    """The notes of its docstring: the algorithm, and its source."""

    method: bool = True
    """Whether arrays have it as a method."""

    ranked: bool = False
    """Whether it depends on the order of values, and so needs whole lines along some axes."""

    def make(self, *array: Any, **parameters: Any) -> Any:
        """Return the statistic for an array."""
        return _found(self.maker)(*array, **parameters)


@lru_cache
def _found(maker: str) -> Callable[..., Any]:
    module, _, function = maker.rpartition(":")
    with between_forks():
        makers = import_module(module or f"{__package__}.makers")
    make: Callable[..., Any] = getattr(makers, function)
    return make


ENTRIES: dict[str, Row] = {}
"""All statistics, by their names."""


def register(entry: Row, twin: bool = False) -> None:
    """Add a statistic; if it has one, also its nan-twin, with the same maker."""
    ENTRIES[entry.name] = entry
    if twin:
        ENTRIES[f"nan{entry.name}"] = entry._replace(name=f"nan{entry.name}", method=False)


_MOMENTS = """Means, and squares of deviations from them, are merged in a tree that depends on the
    chunks alone (Chan, Golub and LeVeque, 1983); float16 and float32 are accumulated in
    float64."""

_SUMS = """The rounding errors of adding up parts are carried along (Knuth's two-sum);
    float16 and float32 are accumulated in float64."""

_RANKS = """Over all values, they are found exactly, in memory that does not grow with the data:
    some passes count values by the leading digits of their rank keys (a radix selection)."""

_RANKED = Row("", "quantile", asks.quantile, "", "2.5", "[2. , 1. , 4.5]", note=_RANKS, ranked=True)

# Statistics with a nan-twin.
for _entry in (
    Row("first", "biggus.statistics.first_last:ends"),
    Row("last", "biggus.statistics.first_last:ends"),
    Row("sum", "total", asks.total, "the sum", "15.", "[4., 2., 9.]", _SUMS),
    Row("prod", "total", asks.total, "the product", "0.", "[ 3.,  0., 18.]"),
    Row("min", "extreme", asks.extreme, "the least value", "0.", "[1., 0., 3.]"),
    Row("max", "extreme", asks.extreme, "the greatest value", "6.", "[3., 2., 6.]"),
    Row("mean", "total", asks.mean, "the mean", "2.5", "[2. , 1. , 4.5]", _MOMENTS),
    Row("var", "spread", asks.spread, "the variance", "3.58333333", "[1.  , 1.  , 2.25]", _MOMENTS),
    Row(
        "std",
        "spread",
        asks.spread,
        "the standard deviation",
        "1.89296945",
        "[1. , 1. , 1.5]",
        _MOMENTS,
    ),
    Row(
        "argmin",
        "position",
        asks.position,
        "the position of the first least value",
        "4",
        "[0, 1, 1]",
    ),
    Row(
        "argmax",
        "position",
        asks.position,
        "the position of the first greatest value",
        "2",
        "[1, 0, 0]",
    ),
    _RANKED._replace(name="median", maker="median", signature=asks.median, summary="the median"),
    _RANKED._replace(name="quantile", summary="quantiles"),
    _RANKED._replace(name="percentile", summary="percentiles", method=False),
):
    register(_entry, twin=True)

for _entry in (
    Row("ptp", "extreme", asks.distance, "the greatest value less the least", "6.", "[2., 2., 3.]"),
    Row("any", "logic", asks.logic, "whether any value is true", "True", "[ True,  True,  True]"),
    Row(
        "all", "logic", asks.logic, "whether all values are true", "False", "[ True, False,  True]"
    ),
    Row(
        "count", "count", asks.count, "the number of values that are not missing", "6", "[2, 2, 2]"
    ),
    Row(
        "count_nonzero",
        "nonzero",
        asks.count,
        "the number of values that are not zero",
        "5",
        "[2, 1, 2]",
        method=False,
    ),
    Row("histogram", "histogram"),
    Row("histogram_edges", "histogram"),
    Row("grouped", "biggus.statistics.groups:grouped"),
):
    register(_entry)
