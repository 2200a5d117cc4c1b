"""Planning: from nodes to passes over the data, and to independent tasks.

What is computed, and in which cells and order it is merged, follows from the
expressions and the grids of their sources alone.  Which cells are computed
together follows from the memory that there is.
"""

from biggus.planning.footprint import AT_ONCE, footprint, piece_bytes, reading_bytes
from biggus.planning.groups import Group
from biggus.planning.jobs import (
    Cell,
    Output,
    Reduction,
    Wanted,
    is_plain,
    positions_of,
    reductions_over,
)
from biggus.planning.narrowing import narrowed
from biggus.planning.reduction_tree import ReductionTree, Run
from biggus.planning.report import PassPlan, Plan
from biggus.planning.rewriting import (
    CommonSubexpressions,
    is_resident,
    pushed,
    reductions_of,
    substituted,
)
from biggus.planning.schedule import Entry, Schedule
from biggus.planning.shared_scans import SharedScan, convoys_of
from biggus.planning.tasks import Accumulation, BlockWork, Part, Shared, Task, Work
from biggus.planning.tree import SHELF, Unit

__all__ = [
    "AT_ONCE",
    "SHELF",
    "Accumulation",
    "BlockWork",
    "Cell",
    "CommonSubexpressions",
    "Entry",
    "Group",
    "Output",
    "Part",
    "PassPlan",
    "Plan",
    "Reduction",
    "ReductionTree",
    "Run",
    "Schedule",
    "Shared",
    "SharedScan",
    "Task",
    "Unit",
    "Wanted",
    "Work",
    "convoys_of",
    "footprint",
    "is_plain",
    "is_resident",
    "narrowed",
    "piece_bytes",
    "positions_of",
    "pushed",
    "reading_bytes",
    "reductions_of",
    "reductions_over",
    "substituted",
]
