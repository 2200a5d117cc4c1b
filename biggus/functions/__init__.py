"""Functions of arrays, as NumPy names them: lazy, and what NumPy's own hand over to.

Each takes an :class:`~biggus.Array`, or anything that becomes one, and returns one
that is computed when it is read.  Those that have no name in `biggus` are imported when one
of NumPy's is first called that is for them.
"""

from importlib import import_module

from biggus.array import offer
from biggus.functions import axes, elementwise, joining, numpys, reshaping, statistics
from biggus.support.forks import between_forks

LATER = (
    *(
        "along",
        "comparing",
        "counting",
        "distinct",
        "finding",
        "fitting",
        "fourier",
        "linear",
        "matrices",
    ),
    *(
        "moving",
        "placing",
        "products",
        "refusing",
        "running",
        "spacing",
        "splitting",
        "surroundings",
    ),
    *("trimming", "ufunc_methods", "weighing", "writing"),
)
"""The modules that are imported when they are needed."""


def _load() -> None:
    with between_forks():
        for name in LATER:
            import_module(f"{__name__}.{name}")


offer(_load)

__all__ = ["axes", "elementwise", "joining", "numpys", "reshaping", "statistics"]
