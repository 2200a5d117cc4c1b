"""Lazy functions of arrays, with the names and arguments of NumPy's.

NumPy's own functions dispatch to them.  Modules without public functions of `biggus` are imported
when a handler is missing.
"""

from biggus.array.handlers import further_modules
from biggus.functions import axes, elementwise, joining, numpy_handlers, reshaping, statistics

LATER = (
    *("along", "comparing", "counting", "creating", "cumulative", "distinct", "fitting", "fourier"),
    *("indices", "linear", "neighbours", "nonzero", "products", "rearranging", "spacing"),
    *("trimming", "ufunc_methods", "weighing", "writing"),
)
"""The modules that are imported when a handler is missing."""

further_modules.extend(f"{__name__}.{name}" for name in LATER)

__all__ = ["axes", "elementwise", "joining", "numpy_handlers", "reshaping", "statistics"]
