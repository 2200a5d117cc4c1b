"""Statistics that are reductions by an associative ufunc: products, extremes, any and all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator, owned
from biggus.statistics.layout import COUNT, LONG, RUN, RunLayout
from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.missing import Present, RunValues
    from biggus.statistics.values import AnyArray, Partial

_EXTREMES = {"minimum", "maximum"}
"""Ufuncs that are accumulated together, if several results need them."""


@dataclass(frozen=True)
class Combining(Aggregator):
    """Reduces values by one or several ufuncs.

    A partial is the count, and the result of each ufunc.
    """

    ufuncs: tuple[str, ...]
    """Names out of minimum, maximum, multiply, logical_or and logical_and."""

    dtype: np.dtype[Any]
    """The dtype of the computation."""

    skip: bool
    """Whether NaN are missing values."""

    by_position = True

    @property
    def key(self) -> str:
        return f"combining-2:{'+'.join(self.ufuncs)}:{self.dtype.str}:{int(self.skip)}"

    @property
    def nbytes_each(self) -> int:
        return COUNT.itemsize + len(self.ufuncs) * self.dtype.itemsize

    def scratch_bytes(self, masked: bool) -> int:
        missing = self.dtype.itemsize + 40 if masked or self.skip else 0
        return RUN * (2 * self.dtype.itemsize + missing)

    def run_length(self, plain: bool) -> int:
        # Plain values need no scratch memory, and fewer calls leave other threads more time.
        return LONG if plain and not self.skip else RUN

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> CombiningAccumulator:
        return CombiningAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        entries = [
            getattr(np, name)(one, other, out=one)
            for name, one, other in zip(self.ufuncs, owned(left[1:]), right[1:], strict=True)
        ]
        return (left[0] + right[0], *entries)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        count = np.zeros((1,) * len(shape), COUNT)
        entries = []
        for name in self.ufuncs:
            entry = np.empty(shape, self.dtype)
            entry[...] = neutral(name, self.dtype)
            entries.append(entry)
        return (count, *entries)

    def serves(self, other: Aggregator) -> bool:
        return (
            isinstance(other, Combining)
            and other.dtype == self.dtype
            and other.skip == self.skip
            and set(other.ufuncs) <= set(self.ufuncs)
        )

    def restrict(self, partial: Partial, other: Aggregator) -> Partial:
        assert isinstance(other, Combining)
        assert self.serves(other)
        return (partial[0], *[partial[1 + self.ufuncs.index(name)] for name in other.ufuncs])

    def joined(self, other: Aggregator) -> Aggregator | None:
        if not isinstance(other, Combining) or (other.dtype, other.skip) != (self.dtype, self.skip):
            return None
        ufuncs = tuple(dict.fromkeys(self.ufuncs + other.ufuncs))
        return replace(self, ufuncs=ufuncs) if set(ufuncs) <= _EXTREMES else None

    @property
    def parts(self) -> tuple[Aggregator, ...]:
        return tuple([replace(self, ufuncs=(name,)) for name in self.ufuncs])

    def composed(self, partials: Sequence[Partial]) -> Partial:
        return (partials[0][0], *[partial[1] for partial in partials])


class CombiningAccumulator(Accumulator):
    """Reduces the runs of a block."""

    def __init__(self, aggregator: Combining, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.results = [layout.empty(aggregator.dtype) for _ in aggregator.ufuncs]
        self._each = [
            (getattr(np, name).reduce, neutral(name, aggregator.dtype), layout.each(results))
            for name, results in zip(aggregator.ufuncs, self.results, strict=True)
        ]
        # Logical ufuncs take any dtype; NumPy refuses datetimes as the dtype of extremes.
        self._dtype = aggregator.dtype if "multiply" in aggregator.ufuncs else None

    def add(self, part: RunValues) -> None:
        present = part.present(self.skip)
        self.counted(part, present)
        values = present.values
        for reduce, fill, each in self._each:
            out = each[part.run.number]
            if not values.size:
                out[...] = fill
                continue
            if present.invalid is not None:
                values = self._filled(present, fill)
            reduce(values, axis=part.axes, dtype=self._dtype, keepdims=True, out=out)

    def _filled(self, present: Present, fill: Any) -> AnyArray:
        """Return the values with a fill value where they are missing, as a scratch array."""
        dtype = self.aggregator.dtype
        if present.values.dtype == dtype:
            return present.filled(fill)
        values = scratch("block", present.values.shape, dtype)
        np.copyto(values, present.values, casting="unsafe")
        np.copyto(values, fill, where=present.invalid)
        return values

    def partial(self) -> Partial:
        entries = []
        for (reduce, _, _), results in zip(self._each, self.results, strict=True):
            entries.append(self.shaped(reduce(results, axis=0)))
        return (self.shaped(self.total()), *entries)


class _Beyond:
    """Less, or greater, than any object: stands for a missing object."""

    __slots__ = ("least",)

    def __init__(self, least: bool) -> None:
        self.least = least

    def __lt__(self, other: object) -> bool:
        return self.least

    def __le__(self, other: object) -> bool:
        return self.least

    def __gt__(self, other: object) -> bool:
        return not self.least

    def __ge__(self, other: object) -> bool:
        return not self.least


def neutral(name: str, dtype: np.dtype[Any]) -> Any:
    """Return the neutral element of a ufunc for values of a dtype."""
    if name == "multiply":
        return dtype.type(1) if dtype.kind != "O" else 1
    if name in ("logical_or", "logical_and"):
        return name == "logical_and"
    least = name == "maximum"
    match dtype.kind:
        case "O":
            return _Beyond(least)
        case "b":
            return np.bool(not least)
        case "i" | "u":
            return dtype.type(np.iinfo(dtype).min if least else np.iinfo(dtype).max)
        case "m" | "M":
            # The least integer is NaT.
            bound = np.iinfo(np.int64).min + 1 if least else np.iinfo(np.int64).max
            return np.array(bound, np.int64).view(dtype.newbyteorder("="))[()]
        case "c":
            return dtype.type(complex(-np.inf, -np.inf) if least else complex(np.inf, np.inf))
        case "f":
            return dtype.type(-np.inf if least else np.inf)
        case "T":
            return "" if least else "\U0010ffff" * 4  # no text begins with this noncharacter
    raise TypeError(f"missing values of {dtype} have no {name}; fill them first")
