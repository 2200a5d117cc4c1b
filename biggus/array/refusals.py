"""What an array does not do lazily: refused, with the way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from biggus.array.asking import asked_by

_ASKED_FIRST = "data"
"""What others ask for, netCDF4 and numpy.ma, before they take values without a mask."""

_READ = "read it, with .ndarray() or .masked_array(), or several at once with biggus.ndarrays"
_DATASET = "open_dataset gives what selects by coordinates, of all variables of a file"
_CALLED = {
    **dict.fromkeys(("compute", "load", "persist", "to_numpy", "values"), _READ),
    **dict.fromkeys(("coords", "isel", "sel"), _DATASET),
    "chunk": "say .rechunk(...)",
    "plot": "biggus.quicklook, imshow and plot draw it",
}
"""What arrays of xarray and dask have, and how that is had here."""


class Refusals:
    """The operators and names of an ndarray that a lazy array does not have."""

    __slots__ = ()

    def __dir__(self: Any) -> list[str]:
        """Return the names that something may come of: whoever asks for each finds no error."""
        kept = {"reshape": not self.masked, "mT": self.ndim > 1, "_data": False, "_mask": False}
        return [name for name in super().__dir__() if kept.get(name, True)]

    def put(self, *_: object, **__: object) -> NoReturn:
        """Refuse: numpy.ma would change a copy, and not say so."""
        raise TypeError("a lazy array does not change: read it first, with .ndarray()")

    def __contains__(self, item: object) -> bool:
        raise TypeError("`in` would read everything: say `item in a.ndarray()`")

    def __round__(self, digits: int | None = None) -> NoReturn:
        raise TypeError("round() of a lazy array: call .round()")

    if not TYPE_CHECKING:  # else any name would pass as an attribute

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self)
            problem = f"{kind.__name__!r} object has no attribute {name!r}"
            if name == _ASKED_FIRST and self.masked and not asked_by("xarray"):
                raise TypeError(
                    "missing values would be lost: call .masked_array() or .filled(...) first, "
                    "or hand over to biggus.save"
                )
            if name in _CALLED:
                problem += f": {_CALLED[name]}"
            if name == "mask":
                problem = "a lazy array has no 'mask': read it first, with .masked_array()"
            if name[:2] != "__" and hasattr(np.ndarray, name) and not hasattr(kind, name):
                problem = f"a lazy array has no {name!r}: read it first, with .ndarray()"
            raise AttributeError(problem, name=name, obj=self)
