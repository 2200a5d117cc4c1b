"""Counts of values by the digits of their place in the order: a radix selection, pass by pass.

Every value is taken as an unsigned integer, its *rank key*, in such a way that keys have
the order of the values.  A pass counts the values by some of the digits of their key,
among those whose higher digits are known already; so each pass makes known more digits
of the value that has a certain rank, exactly, in memory that does not grow with the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Aggregator, AnyArray, Partial, owned
from biggus.statistics.layout import COUNT, RUN
from biggus.statistics.runs import Accumulator, RunValues

if TYPE_CHECKING:
    from biggus.statistics.layout import RunLayout

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

    def scratch_bytes(self, masked: bool) -> int:  # noqa: ARG002
        return RUN * (4 * self.dtype.itemsize + 24) + self.nbytes_fixed

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> DigitsAccumulator:  # noqa: ARG002
        return DigitsAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        nans, table = owned(left)
        return np.add(nans, right[0], out=nans), np.add(table, right[1], out=table)

    def identity(self, shape: tuple[int, ...]) -> Partial:  # noqa: ARG002
        table = np.zeros((len(self.prefixes), 1 << self.bits), COUNT)
        return np.zeros(1, COUNT), table


class DigitsAccumulator(Accumulator):
    """The values of the runs of a block, counted."""

    def __init__(self, aggregator: Digits, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.nans, self.table = aggregator.identity(())
        self.prefixes = np.array(aggregator.prefixes, np.uint64)

    def add(self, part: RunValues) -> None:
        values = part.flat(self.skip)
        if values.dtype.kind in "fmM" and not self.skip:
            nan = np.isnan(values)
            if nan.any():
                values = values[~nan]
                self.nans += nan.size - values.size
        keys = keys_of(values)
        aggregator = self.aggregator
        width = 8 * aggregator.dtype.itemsize
        rest = width - aggregator.known - aggregator.bits
        digits = keys >> keys.dtype.type(rest) if rest else keys
        if aggregator.known:
            rows = digits >> digits.dtype.type(aggregator.bits)
            places = np.searchsorted(self.prefixes, rows)
            places[places == len(self.prefixes)] = 0
            counted = self.prefixes[places] == rows
            digits = digits[counted] & digits.dtype.type((1 << aggregator.bits) - 1)
            indices = (places[counted] << aggregator.bits) + digits.astype(np.intp)
        else:
            indices = digits.astype(np.intp)
        found = np.bincount(indices, minlength=self.table.size)
        self.table += found.reshape(self.table.shape)

    def partial(self) -> Partial:
        return self.nans, self.table
