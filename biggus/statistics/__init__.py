"""The arithmetic of statistics: blocks of values to partial results, and those to results.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

from biggus.statistics.base import Aggregator, Partial, Statistic, nbytes_of
from biggus.statistics.digits import rankable
from biggus.statistics.layout import LONG
from biggus.statistics.runs import partials
from biggus.statistics.table import NAMES, statistic

__all__ = [
    "LONG",
    "NAMES",
    "Aggregator",
    "Partial",
    "Statistic",
    "nbytes_of",
    "partials",
    "rankable",
    "statistic",
]
