"""The engine: when and where a node is read and computed.

What is only read is read in pieces, straight into the result.  What is
computed is computed reduction block by reduction block, in passes over the data.

Its modules are imported when something is evaluated for the first time: `import biggus`
takes little longer than `import numpy`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biggus.forks import between_forks

if TYPE_CHECKING:
    from biggus.engine.dry_run import estimate
    from biggus.engine.evaluation import evaluate, evaluate_all, store
    from biggus.engine.under_way import WAITING_THREADS
    from biggus.engine.writing import Writer

__all__ = [
    "WAITING_THREADS",
    "Writer",
    "estimate",
    "evaluate",
    "evaluate_all",
    "store",
]

_MODULES = {
    "WAITING_THREADS": "under_way",
    "Writer": "writing",
    "evaluate": "evaluation",
    "evaluate_all": "evaluation",
    "estimate": "dry_run",
    "store": "evaluation",
}
"""Where each name is defined."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with between_forks():
        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
