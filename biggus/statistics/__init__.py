"""Statistics: blocks of values are accumulated into partial results, and these become results.

Each statistic has a row in `registry` and a function in `makers`.  The modules that compute are
imported on first use.  Pure: knows no source and reads nothing.
"""

from typing import TYPE_CHECKING

from biggus.support.lazy_imports import later

if TYPE_CHECKING:
    from biggus.statistics.base import Aggregator, Statistic, nbytes_of
    from biggus.statistics.digits import rankable
    from biggus.statistics.layout import LONG
    from biggus.statistics.makers import statistic
    from biggus.statistics.runs import partials, runs_alike
    from biggus.statistics.values import Partial

__all__ = [
    "LONG",
    "Aggregator",
    "Partial",
    "Statistic",
    "nbytes_of",
    "partials",
    "rankable",
    "runs_alike",
    "statistic",
]

__getattr__ = later(
    __name__,
    {
        **dict.fromkeys(("Aggregator", "Statistic", "nbytes_of"), ".base"),
        "Partial": ".values",
        "LONG": ".layout",
        **dict.fromkeys(("partials", "runs_alike"), ".runs"),
        "rankable": ".digits",
        "statistic": ".makers",
    },
)
