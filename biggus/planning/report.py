"""The report: what evaluating would do, in numbers and in words."""

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
        How many blocks would be computed.
    requests : int
        How many reads would be made.
    read_bytes : int
        The bytes of the values that would be read, those in a cache included.
    cached_bytes : int
        Those of them that are in a cache.
    in_memory_bytes : int
        Those of them that are in the chunk memory, decoded.
    decoded_bytes : int
        The bytes of the chunks that would have to be decoded for it, had none been before.
    decodes_again : bool
        Whether these are much more than is read of them, and do not stay in the chunk memory:
        what lies beside it would take to decode them again.
    kept_blocks : int
        How many reduction blocks need not be read, for what comes of them has been kept; servers
        are not asked whether it is still good.
    peak_bytes : int
        The most memory that computing would take, results aside.
    times_read : float
        How often a chunk would be read, on average; 1 where grids nest.
    scratch_bytes : int
        The bytes that would be put into a scratch, or taken from there: values that are needed
        in other blocks than they are read in.
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
            f"{_number(self.tasks, 'task')}, {_number(self.requests, 'read')} of "
            f"{format_bytes(self.read_bytes)}"
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
    """What evaluating some arrays would do.  Printed, it tells it pass by pass.

    Attributes
    ----------
    passes : list of PassPlan
        Each over the data once.
    result_bytes : int
        The memory that the results themselves would take.
    """

    passes: list[PassPlan]
    result_bytes: int

    @property
    def tasks(self) -> int:
        """How many blocks would be computed, in all passes."""
        return sum(each.tasks for each in self.passes)

    @property
    def requests(self) -> int:
        """How many reads would be made."""
        return sum(each.requests for each in self.passes)

    @property
    def read_bytes(self) -> int:
        """The bytes of the values that would be read, those in a cache included."""
        return sum(each.read_bytes for each in self.passes)

    @property
    def cached_bytes(self) -> int:
        """Those of them that are in a cache."""
        return sum(each.cached_bytes for each in self.passes)

    @property
    def in_memory_bytes(self) -> int:
        """Those of them that are in the chunk memory, decoded."""
        return sum(each.in_memory_bytes for each in self.passes)

    @property
    def peak_bytes(self) -> int:
        """The most memory that computing would take, results aside."""
        return max((each.peak_bytes for each in self.passes), default=0)

    def __str__(self) -> str:
        lines = [f"pass {number}: {each}" for number, each in enumerate(self.passes, 1)]
        return "\n".join([*lines, f"results: {format_bytes(self.result_bytes)}"])

    __repr__ = __str__


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
