"""A statistic that biggus lacks: the mean of the minimum and the maximum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biggus.statistics.combining import Combining
from biggus.statistics.results import Extreme


@dataclass(frozen=True)
class Midrange(Extreme):
    def values(self, partial):
        count, least, greatest = partial
        return self.of_some((least + greatest) / 2, count)


def midrange(given, mdtol=1):
    aggregator = Combining(("minimum", "maximum"), given.dtype.newbyteorder("="), given.skip)
    return Midrange(np.dtype("f8"), given.masked, aggregator, given.length, mdtol)
