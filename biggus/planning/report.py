"""The report of a dry run: what evaluating would do, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

from biggus.options import format_bytes
from biggus.sources.memory_cached import REMEDY


@dataclass
class PassPlan:
    """What one pass over the data would do.

    Attributes
    ----------
    tasks : int
        The number of blocks to compute.
    requests : int
        The number of reads.
    read_bytes : int
        The bytes of the values to read, including those in a cache.
    cached_bytes : int
        The part of `read_bytes` that is in a cache.
    in_memory_bytes : int
        The part of `read_bytes` that is in the chunk memory, decoded.
    decoded_bytes : int
        The bytes of the chunks to decode, if none is in the chunk memory.
    decodes_again : bool
        Whether `decoded_bytes` is much more than `read_bytes` and exceeds the chunk memory, so
        that reading what lies next to these values would decode the same chunks again.
    kept_blocks : int
        The number of reduction blocks that need not be read because the partial-result cache has
        their results; servers are not asked whether these are still valid.
    peak_bytes : int
        The most memory that computing takes, results aside.
    times_read : float
        How often a chunk is read, on average; 1 where grids nest.
    scratch_bytes : int
        The bytes that are written to a scratch or read from it, to change from the blocks in
        which values are read to those in which they are needed.
    """

    tasks: int = 0
    requests: int = 0
    read_bytes: int = 0
    cached_bytes: int = 0
    in_memory_bytes: int = 0
    decoded_bytes: int = 0
    decodes_again: bool = False
    kept_blocks: int = 0
    peak_bytes: int = 0
    times_read: float = 0.0
    scratch_bytes: int = 0

    def __str__(self) -> str:
        in_memory = ""
        if self.in_memory_bytes:
            in_memory = f", {format_bytes(self.in_memory_bytes)} in memory"
        text = (
            f"{_number(self.tasks, 'task')}, {format_bytes(self.read_bytes)} in "
            f"{_number(self.requests, 'read')}"
            f" ({format_bytes(self.cached_bytes)} cached"
            f"{in_memory}), at most {format_bytes(self.peak_bytes)} of memory"
        )
        if self.times_read > 1:
            text += f", each chunk {self.times_read:.3g} times"
        if self.scratch_bytes:
            way = "into" if self.requests else "from"
            text += f", {format_bytes(self.scratch_bytes)} {way} a scratch"
        if self.kept_blocks:
            text += f", {_number(self.kept_blocks, 'reduction block')} kept"
        if self.decodes_again:
            text += (
                f"; its chunks have {format_bytes(self.decoded_bytes)}, which do not stay in the "
                f"chunk memory for what is read next to it: {REMEDY}"
            )
        return text


@dataclass
class Plan:
    """What evaluating some arrays would do; printed, it shows this pass by pass.

    Attributes
    ----------
    passes : list of PassPlan
        The passes over the data, in order.
    result_bytes : int
        The memory that the results take.
    """

    passes: list[PassPlan]
    result_bytes: int

    @property
    def tasks(self) -> int:
        """The number of blocks to compute, in all passes."""
        return sum(each.tasks for each in self.passes)

    @property
    def requests(self) -> int:
        """The number of reads, in all passes."""
        return sum(each.requests for each in self.passes)

    @property
    def read_bytes(self) -> int:
        """The bytes of the values to read, including those in a cache."""
        return sum(each.read_bytes for each in self.passes)

    @property
    def cached_bytes(self) -> int:
        """The part of `read_bytes` that is in a cache."""
        return sum(each.cached_bytes for each in self.passes)

    @property
    def in_memory_bytes(self) -> int:
        """The part of `read_bytes` that is in the chunk memory, decoded."""
        return sum(each.in_memory_bytes for each in self.passes)

    @property
    def peak_bytes(self) -> int:
        """The most memory that computing takes, results aside."""
        return max((each.peak_bytes for each in self.passes), default=0)

    def __str__(self) -> str:
        lines = [f"pass {number}: {each}" for number, each in enumerate(self.passes, 1)]
        return "\n".join([*lines, f"results: {format_bytes(self.result_bytes)}"])

    __repr__ = __str__


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
