"""Counts of values by the digits of their place in the order: a radix selection, pass by pass.

Every value is taken as an unsigned integer, its *rank key*, in such a way that keys have
the order of the values.  A pass counts the values by some of the digits of their key,
among those whose higher digits are known already; so each pass makes known more digits
of the value that has a certain rank, exactly, in memory that does not grow with the data.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator, owned
from biggus.statistics.layout import COUNT, RUN

if TYPE_CHECKING:
    from biggus.statistics.layout import RunLayout
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial

_DIGIT = 16
"""Bits that a pass makes known, as long as few values are looked for."""

_TABLE = 20
"""The most bits of the number of counts in a table: 8 MB."""


def rankable(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype have rank keys."""
    return dtype.kind in "biumM" or (dtype.kind == "f" and dtype.itemsize <= 8)


def keys_of(values: AnyArray) -> AnyArray:
    """Return the rank keys of values, of which none is NaN or NaT.

    Examples
    --------
    >>> keys_of(np.array([-np.inf, -1.5, 0, 2], "f2"))
    array([ 1023, 16895, 32768, 49152], dtype=uint16)
    """
    dtype = values.dtype
    unsigned = np.dtype(f"u{dtype.itemsize}")
    bits = values.view(unsigned)
    if dtype.kind in "bu":
        return bits
    sign = unsigned.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind != "f":
        turned: AnyArray = bits ^ sign
        return turned
    # All bits of what is negative are turned, of the rest the sign alone.
    negative = values.view(f"i{dtype.itemsize}") >> (8 * dtype.itemsize - 1)
    turned = negative.view(unsigned)
    turned |= sign
    turned ^= bits
    return turned


def values_of(keys: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    """Return the values that have certain rank keys.

    Examples
    --------
    >>> values_of(keys_of(np.array([-np.inf, -1.5, 0, 2], "f2")), np.dtype("f2"))
    array([-inf, -1.5,  0. ,  2. ], dtype=float16)
    """
    unsigned = np.dtype(f"u{dtype.itemsize}")
    bits = keys.astype(unsigned)
    if dtype.kind in "bu":
        return bits.view(dtype)
    sign = unsigned.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind != "f":
        bits ^= sign
        return bits.view(dtype)
    return np.where(bits & sign, bits ^ sign, ~bits).view(dtype)


@dataclass(frozen=True)
class Digits(Aggregator):
    """Counts of the values by some digits of their rank keys.

    A partial is the number of NaN, and a table of counts: of the values whose higher
    digits are each of `prefixes`, by the digits that come next.  Over whole arrays alone.
    """

    dtype: np.dtype[Any]
    """Of the values, in the machine's byte order."""

    skip: bool
    """Whether NaN are missing values: they are not counted then."""

    prefixes: tuple[int, ...]
    """The higher digits of the values that are counted, ascending."""

    known: int
    """How many bits those have."""

    @property
    def bits(self) -> int:
        """How many bits more are counted by."""
        return min(8 * self.dtype.itemsize - self.known, self.bits_of(len(self.prefixes)))

    def bits_of(self, prefixes: int) -> int:
        """Return how many bits more can be counted by, of so many prefixes."""
        return max(1, min(_DIGIT, _TABLE - (prefixes - 1).bit_length()))

    @property
    def key(self) -> str:
        prefixes = ",".join(map(str, self.prefixes))
        return f"digits-1:{self.dtype.str}:{int(self.skip)}:{self.known}:{prefixes}"

    @property
    def nbytes_each(self) -> int:
        return 0

    @property
    def nbytes_fixed(self) -> int:
        return COUNT.itemsize * (1 + (len(self.prefixes) << self.bits))

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * (4 * self.dtype.itemsize + 24) + self.nbytes_fixed

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> DigitsAccumulator:
        return DigitsAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        nans, table = owned(left)
        return np.add(nans, right[0], out=nans), np.add(table, right[1], out=table)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        table = np.zeros((len(self.prefixes), 1 << self.bits), COUNT)
        return np.zeros(1, COUNT), table


class DigitsAccumulator(Accumulator):
    """The values of the runs of a block, counted.

    The first bits of values are looked up as they lie in memory: rank keys are made of those
    alone that are counted by further digits.
    """

    def __init__(self, aggregator: Digits, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.nans, self.table = aggregator.identity(())
        self.prefixes = np.array(aggregator.prefixes, np.uint64)
        self.ranks = _ranks_of_tops(aggregator.dtype)
        """For the first bits of a value the first digit of its rank key."""
        if aggregator.known:
            wanted = np.zeros(self.ranks.size, bool)
            known = min(aggregator.known, self.ranks.size.bit_length() - 1)
            firsts = self.prefixes >> np.uint64(aggregator.known - known)
            wanted.reshape(1 << known, -1)[firsts.astype(np.intp)] = True
            self.wanted = wanted[self.ranks]
        else:
            self.found = np.zeros(self.ranks.size, COUNT)

    def add(self, part: RunValues) -> None:
        values = part.flat(self.skip)
        if values.dtype.kind in "fmM" and not self.skip:
            nan = np.isnan(values)
            if nan.any():
                values = values[~nan]
                self.nans += nan.size - values.size
        values = np.ascontiguousarray(values)
        if self.aggregator.known:
            values = values[self.wanted[_tops(values)]]
            if values.size:
                self._add_further(keys_of(values))
        else:
            self.found += np.bincount(_tops(values), minlength=self.found.size)

    def _add_further(self, keys: AnyArray) -> None:
        aggregator = self.aggregator
        rest = 8 * aggregator.dtype.itemsize - aggregator.known - aggregator.bits
        digits = keys >> keys.dtype.type(rest) if rest else keys
        rows = digits >> digits.dtype.type(aggregator.bits)
        places = np.searchsorted(self.prefixes, rows)
        places[places == len(self.prefixes)] = 0
        counted = self.prefixes[places] == rows
        digits = digits[counted] & digits.dtype.type((1 << aggregator.bits) - 1)
        indices = (places[counted] << aggregator.bits) + digits.astype(np.intp)
        found = np.bincount(indices, minlength=self.table.size)
        self.table += found.reshape(self.table.shape)

    def partial(self) -> Partial:
        if not self.aggregator.known:
            self.table[0, self.ranks] = self.found
        return self.nans, self.table


def _tops(values: AnyArray) -> AnyArray:
    """Return the first bits of values that lie side by side: as many as the first digit has."""
    if values.dtype.itemsize <= 2:
        return values.view(f"u{values.dtype.itemsize}")
    each = values.dtype.itemsize // 2
    return values.view(np.uint16)[(each - 1 if sys.byteorder == "little" else 0) :: each]


def _ranks_of_tops(dtype: np.dtype[Any]) -> AnyArray:
    """Return for all first bits that values may have the first digit of the rank key.

    Examples
    --------
    >>> _ranks_of_tops(np.dtype("i1"))[[0, 127, 128, 255]]
    array([128, 255,   0, 127], dtype=uint8)
    """
    top = np.dtype(f"u{min(2, dtype.itemsize)}")
    tops = np.arange(1 << (8 * top.itemsize)).astype(top)
    kind = "u" if dtype.kind in "bu" else "i"
    if dtype.kind != "f":
        return keys_of(tops.view(f"{kind}{top.itemsize}"))
    return keys_of(tops.view(np.float16))
