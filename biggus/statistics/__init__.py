"""The arithmetic of statistics: blocks of values to partial results, and those to results."""

from __future__ import annotations

from biggus.statistics.base import Family, Partial, Statistic, nbytes_of

__all__ = ["Family", "Partial", "Statistic", "nbytes_of"]
