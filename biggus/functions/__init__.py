"""Functions of arrays, as NumPy names them: lazy, and what NumPy's own hand over to.

Each takes an :class:`~biggus.Array`, or anything that becomes one, and returns one
that is computed when it is read.
"""

from biggus.functions import (
    along,
    axes,
    comparing,
    elementwise,
    finding,
    fourier,
    joining,
    matrices,
    moving,
    numpys,
    placing,
    products,
    reshaping,
    splitting,
    statistics,
    surroundings,
    ufunc_methods,
    weighing,
)

__all__ = [
    "along",
    "axes",
    "comparing",
    "elementwise",
    "finding",
    "fourier",
    "joining",
    "matrices",
    "moving",
    "numpys",
    "placing",
    "products",
    "reshaping",
    "splitting",
    "statistics",
    "surroundings",
    "ufunc_methods",
    "weighing",
]
