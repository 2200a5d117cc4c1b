"""The engine: reads and computes nodes, on threads or other executors, within the memory option.

A node that is only read is read in pieces, straight into the result.  Other nodes are computed
block by block, in passes over the data.

Its modules are imported when something is evaluated for the first time: `import biggus`
takes little longer than `import numpy`.
"""

from typing import TYPE_CHECKING

from biggus.support.lazy_imports import later

if TYPE_CHECKING:
    from biggus.engine.concurrent_reads import WAITING_THREADS
    from biggus.engine.dry_run import estimate
    from biggus.engine.evaluation import evaluate, evaluate_all, store
    from biggus.engine.reducing import reduced
    from biggus.engine.writing import Writer

__all__ = [
    "WAITING_THREADS",
    "Writer",
    "estimate",
    "evaluate",
    "evaluate_all",
    "reduced",
    "store",
]

__getattr__ = later(
    __name__,
    {
        **dict.fromkeys(("evaluate", "evaluate_all", "store"), ".evaluation"),
        "WAITING_THREADS": ".concurrent_reads",
        "Writer": ".writing",
        "estimate": ".dry_run",
        "reduced": ".reducing",
    },
)
