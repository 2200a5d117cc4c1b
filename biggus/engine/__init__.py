"""The engine: when and where a node is read and computed.

What is only read is read in pieces, straight into the result.  What is
computed is computed cell by cell, in passes over the data.
"""

from biggus.engine.evaluation import evaluate, evaluate_all, store
from biggus.engine.reading import WAITING_THREADS
from biggus.engine.rehearsal import rehearse
from biggus.engine.writing import Writer

__all__ = [
    "WAITING_THREADS",
    "Writer",
    "evaluate",
    "evaluate_all",
    "rehearse",
    "store",
]
