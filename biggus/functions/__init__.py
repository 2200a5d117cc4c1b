"""Lazy functions of arrays, with the names and arguments of NumPy's.

NumPy's own functions dispatch to them.  Those that are not public in `biggus` are imported when
the first of them is needed.
"""

from importlib import import_module

from biggus.array import add_loader
from biggus.functions import axes, elementwise, joining, numpy_handlers, reshaping, statistics
from biggus.support.forks import between_forks

LATER = (
    *("along", "comparing", "counting", "cumulative", "distinct", "fitting", "fourier"),
    *("indices", "linear", "neighbours", "nonzero", "products", "rearranging", "spacing"),
    *("trimming", "ufunc_methods", "weighing", "writing"),
)
"""The modules that are imported when a handler is missing."""


def _load() -> None:
    with between_forks():
        for name in LATER:
            import_module(f"{__name__}.{name}")


add_loader(_load)

__all__ = ["axes", "elementwise", "joining", "numpy_handlers", "reshaping", "statistics"]
