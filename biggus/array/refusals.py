"""Operations that lazy arrays do not have: they raise an error that names an alternative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from biggus.array.asking import asked_by

_READ = "read it, with .ndarray() or .masked_array(), or several at once with biggus.ndarrays"
_DATASET = "a Dataset, from biggus.open_dataset, selects by coordinates"
_CALLED = {
    **dict.fromkeys(("compute", "load", "persist", "to_numpy", "values"), _READ),
    **dict.fromkeys(("coords", "isel", "sel"), _DATASET),
    "chunk": "call .rechunk(...)",
    "plot": "biggus.quicklook, imshow and plot draw it",
}
"""Attributes of arrays of xarray and dask, and their alternatives."""


class Refusals:
    """Mixin of the operators and attributes that a lazy array does not have."""

    __slots__ = ()

    def __dir__(self: Any) -> list[str]:
        """Return the names of the attributes that can be accessed without an error."""
        kept = {"reshape": not self.masked, "mT": self.ndim > 1, "_data": False, "_mask": False}
        return [name for name in super().__dir__() if kept.get(name, True)]

    def put(self, *_: object, **__: object) -> NoReturn:
        """Raise a TypeError: numpy.ma would silently change a copy."""
        raise TypeError("a lazy array does not change: read it first, with .ndarray()")

    def __contains__(self, item: object) -> bool:
        raise TypeError("`in` would read everything: use `item in a.ndarray()`")

    def __round__(self, digits: int | None = None) -> NoReturn:
        raise TypeError("round() of a lazy array: call .round()")

    if not TYPE_CHECKING:  # else any name would pass as an attribute

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self)
            problem = f"{kind.__name__!r} object has no attribute {name!r}"
            if name == "data" and self.masked and not asked_by("xarray"):
                # netCDF4 and numpy.ma access it before they discard the mask.
                raise TypeError(
                    "missing values would be lost: call .masked_array() or .filled(...) first, "
                    "or write with biggus.save"
                )
            if name in _CALLED:
                problem += f": {_CALLED[name]}"
            if name == "mask":
                problem = "a lazy array has no 'mask': read it first, with .masked_array()"
            if name[:2] != "__" and hasattr(np.ndarray, name) and not hasattr(kind, name):
                problem = f"a lazy array has no {name!r}: read it first, with .ndarray()"
            raise AttributeError(problem, name=name, obj=self)
