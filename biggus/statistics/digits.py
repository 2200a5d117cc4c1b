"""Radix selection: counts of values by the digits of their rank keys, pass by pass.

The *rank key* of a value is an unsigned integer; rank keys are ordered like the values.  To find
the value of a certain rank, each pass counts the values whose higher digits are those known
already by their next digit, and so finds that digit.  The result is exact, and takes memory that
does not grow with the data.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator
from biggus.statistics.layout import COUNT, RUN, RunLayout
from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial

_DIGIT = 16
"""The bits of a digit, as long as few values are looked for."""

_TABLE = 20
"""The most bits of an index of a table of counts, which is 8 MB then."""

_FEW = 4
"""The most prefixes that are searched for one after the other, by comparing integers."""

_NEAR = 256
"""First digits that differ by less are counted as pairs of bytes, in half of the time."""


def rankable(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype have rank keys."""
    return dtype.kind in "biumM" or (dtype.kind == "f" and dtype.itemsize <= 8)


def keys_of(values: AnyArray) -> AnyArray:
    """Return the rank keys of values; none may be NaN or NaT.

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
    # All bits of negative values are inverted, of others the sign only.
    negative = values.view(f"i{dtype.itemsize}") >> (8 * dtype.itemsize - 1)
    turned = negative.view(unsigned)
    turned |= sign
    turned ^= bits
    return turned


def values_of(keys: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    """Return the values of rank keys.

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
    """Counts values by a digit of their rank keys; over whole arrays only.

    A partial is the number of NaN, and a table of counts: for each of `prefixes`, of the values
    that begin with it, by the next digit.
    """

    dtype: np.dtype[Any]
    """The dtype of the values, in native byte order."""

    skip: bool
    """Whether NaN are missing values, which are not counted."""

    prefixes: tuple[int, ...]
    """The higher digits of the values that are counted, ascending."""

    known: int
    """The number of bits of a prefix."""

    nbytes_each = 0

    @property
    def bits(self) -> int:
        """The number of bits of the next digit."""
        return min(8 * self.dtype.itemsize - self.known, self.bits_of(len(self.prefixes)))

    def bits_of(self, prefixes: int) -> int:
        """Return the most bits of a digit for which the table has room, by its prefixes."""
        return max(1, min(_DIGIT, _TABLE - (prefixes - 1).bit_length()))

    @property
    def key(self) -> str:
        prefixes = ",".join(map(str, self.prefixes))
        return f"digits-2:{self.dtype.str}:{int(self.skip)}:{self.known}:{prefixes}"

    @property
    def nbytes_fixed(self) -> int:
        return COUNT.itemsize * (1 + (len(self.prefixes) << self.bits))

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * (4 * self.dtype.itemsize + 24) + self.nbytes_fixed

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> DigitsAccumulator:
        return DigitsAccumulator(self, layout)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        table = np.zeros((len(self.prefixes), 1 << self.bits), COUNT)
        return np.zeros(1, COUNT), table


class DigitsAccumulator(Accumulator):
    """Counts the values of the runs of a block.

    The first digit follows from the first bits of a value in memory.  Values with one of a few
    prefixes are found by comparing these bits.  Rank keys are only computed for many prefixes.
    """

    def __init__(self, aggregator: Digits, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.nans, self.table = aggregator.identity(())
        self.prefixes = np.array(aggregator.prefixes, np.uint64)
        self.few = len(self.prefixes) <= _FEW
        if not aggregator.known:
            self.top_counts = np.zeros(1 << aggregator.bits, COUNT)
        elif not self.few:
            ranks = _ranks_of_tops(aggregator.dtype)
            wanted = np.zeros(ranks.size, bool)
            known = min(aggregator.known, ranks.size.bit_length() - 1)
            firsts = self.prefixes >> np.uint64(aggregator.known - known)
            wanted.reshape(1 << known, -1)[firsts.astype(np.intp)] = True
            self.wanted = wanted[ranks]

    def add(self, part: RunValues) -> None:
        values = np.ascontiguousarray(part.flat(self.skip))
        if self.aggregator.known:
            # There are no NaN: if NaN are not skipped, one of them settles the result.
            if self.few:
                self._add_few(values.view(f"u{values.dtype.itemsize}"))
            else:
                self._add_many(keys_of(values[self.wanted[_tops(values)]]))
            return
        if values.dtype.kind in "fmM" and not self.skip:
            nan = np.isnan(values)
            if nan.any():
                values = values[~nan]
                self.nans += nan.size - values.size
        if values.size:
            self._add_first(values)

    def _add_first(self, values: AnyArray) -> None:
        """Count values by their first bits; two values at a time, if all are near each other."""
        bits = values.view(f"u{values.dtype.itemsize}")
        unknown = 8 * bits.itemsize - self.aggregator.bits
        low, high = int(bits.min()) >> unknown, int(bits.max()) >> unknown
        tops = _tops(values)
        if high - low >= _NEAR:
            self.top_counts += np.bincount(tops, minlength=self.top_counts.size)
            return
        near = (tops - tops.dtype.type(low)).astype(np.uint8)
        pairs = near[: near.size // 2 * 2].view(np.uint16)
        counts = np.bincount(pairs, minlength=_NEAR**2).reshape(_NEAR, _NEAR)
        counts = counts.sum(axis=0) + counts.sum(axis=1)
        if near.size % 2:
            counts[near[-1]] += 1
        self.top_counts[low : high + 1] += counts[: high - low + 1]

    def _add_few(self, bits: AnyArray) -> None:
        """Count values by their bits; the bits of all values with one prefix are consecutive."""
        aggregator = self.aggregator
        unknown = 8 * bits.itemsize - aggregator.known
        offsets = scratch("offsets", bits.shape, bits.dtype)
        for prefix, row in zip(aggregator.prefixes, self.table, strict=True):
            ends = np.array([prefix << unknown, ((prefix + 1) << unknown) - 1], bits.dtype)
            first, last = values_of(ends, aggregator.dtype).view(bits.dtype)
            np.subtract(bits, min(first, last), out=offsets)  # wraps around below `first`
            inside = offsets[offsets < bits.dtype.type(1 << unknown)]
            inside >>= bits.dtype.type(unknown - aggregator.bits)
            counts = np.bincount(inside.astype(np.intp), minlength=row.size)
            np.add(row, counts if first < last else counts[::-1], out=row)

    def _add_many(self, keys: AnyArray) -> None:
        """Count values by their rank keys; look up the prefix of each."""
        aggregator = self.aggregator
        unknown = 8 * aggregator.dtype.itemsize - aggregator.known - aggregator.bits
        digits = keys >> keys.dtype.type(unknown) if unknown else keys
        rows = digits >> digits.dtype.type(aggregator.bits)
        places = np.searchsorted(self.prefixes, rows)
        places[places == len(self.prefixes)] = 0
        counted = self.prefixes[places] == rows
        digits = digits[counted] & digits.dtype.type((1 << aggregator.bits) - 1)
        indices = (places[counted] << aggregator.bits) + digits.astype(np.intp)
        counts = np.bincount(indices, minlength=self.table.size)
        self.table += counts.reshape(self.table.shape)

    def partial(self) -> Partial:
        if not self.aggregator.known:
            self.table[0, _ranks_of_tops(self.aggregator.dtype)] = self.top_counts
        return self.nans, self.table


def _tops(values: AnyArray) -> AnyArray:
    """Return the first bits of contiguous values, as many as the first digit has."""
    if values.dtype.itemsize <= 2:
        return values.view(f"u{values.dtype.itemsize}")
    each = values.dtype.itemsize // 2
    return values.view(np.uint16)[(each - 1 if sys.byteorder == "little" else 0) :: each]


def _ranks_of_tops(dtype: np.dtype[Any]) -> AnyArray:
    """Return the first digit of the rank key for all first bits that values may have.

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
