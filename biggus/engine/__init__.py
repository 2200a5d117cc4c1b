"""The engine: when and where a node is read and computed.

What is only read is read in pieces, straight into the result.  What is
computed is computed cell by cell, in passes over the data.
"""

from biggus.engine.evaluation import evaluate, evaluate_all
from biggus.engine.reading import WAITING_THREADS

__all__ = ["WAITING_THREADS", "evaluate", "evaluate_all"]
