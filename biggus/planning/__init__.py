"""Planning: from nodes to passes over the data, and to independent tasks.

What is computed, and in which reduction blocks and order it is merged, follows from the
expressions and the grids of their sources alone.  Which reduction blocks are computed
together follows from the memory that there is.
"""

from biggus.planning.footprint import AT_ONCE, footprint, piece_bytes, reading_bytes
from biggus.planning.groups import JobGroup
from biggus.planning.jobs import (
    Output,
    Reduction,
    ReductionBlock,
    Wanted,
    is_plain,
    lengths_of,
    positions_of,
    reductions_over,
)
from biggus.planning.pruning import pruned
from biggus.planning.rechunking import (
    Gathering,
    Gatherings,
    Rechunking,
    Rewriting,
    held_bytes,
    placed,
)
from biggus.planning.reduction_tree import ReductionTree
from biggus.planning.report import PassPlan, Plan
from biggus.planning.rewriting import (
    CommonSubexpressions,
    is_in_memory,
    pushdown,
    reductions_of,
    substituted,
)
from biggus.planning.schedule import Schedule, ScheduleEntry
from biggus.planning.shared_scans import SharedScan, shared_scans_of
from biggus.planning.tasks import Accumulation, BlockWork, Task, TaskBlock, Work
from biggus.planning.tree_levels import TILES_A_SUBTREE, Subtree

__all__ = [
    "AT_ONCE",
    "TILES_A_SUBTREE",
    "Accumulation",
    "BlockWork",
    "CommonSubexpressions",
    "Gathering",
    "Gatherings",
    "JobGroup",
    "Output",
    "PassPlan",
    "Plan",
    "Rechunking",
    "Reduction",
    "ReductionBlock",
    "ReductionTree",
    "Rewriting",
    "Schedule",
    "ScheduleEntry",
    "SharedScan",
    "Subtree",
    "Task",
    "TaskBlock",
    "Wanted",
    "Work",
    "footprint",
    "held_bytes",
    "is_in_memory",
    "is_plain",
    "lengths_of",
    "piece_bytes",
    "placed",
    "positions_of",
    "pruned",
    "pushdown",
    "reading_bytes",
    "reductions_of",
    "reductions_over",
    "shared_scans_of",
    "substituted",
]
