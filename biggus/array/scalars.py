"""Conversion of arrays of one element to Python scalars, and operations that raise an error."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

import numpy as np

from biggus.adapt import Lazy
from biggus.array.callers import asked_by
from biggus.errors import MaskedValueError


class Scalars(Lazy):
    """Mixin of conversions to Python scalars, which read the only element."""

    __slots__ = ()

    def item(self: Any, *index: SupportsIndex) -> Any:
        """Read one element as a Python scalar, as :meth:`numpy.ndarray.item`."""
        if not index:
            if self.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            return self[(0,) * self.ndim].ndarray().item()
        key: Any = index
        if len(index) == 1 and isinstance(index[0], tuple):
            (key,) = index
        elif len(index) == 1 and self.ndim != 1:
            flat = operator.index(index[0])
            if not -self.size <= flat < self.size:
                raise IndexError(f"index {flat} is out of bounds for size {self.size}")
            key = []
            for n in reversed(self.shape):
                flat, i = divmod(flat, n)  # if negative, the sign remains for the first axis
                key.insert(0, i)
        if len(key) != self.ndim:
            raise ValueError("incorrect number of indices for array")
        return self[tuple(map(operator.index, key))].ndarray().item()

    def __bool__(self: Any) -> bool:
        if self.size != 1:
            raise ValueError("the truth value of an array with other than one element is ambiguous")
        if self.masked and self.masked_array().mask.any():
            raise MaskedValueError("a missing value is neither true nor false")
        return bool(self.item())

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.shape else super().__format__(spec)

    def __int__(self: Any) -> int:
        return int(self._scalar())

    def __float__(self: Any) -> float:
        return float(self._scalar())

    def __complex__(self: Any) -> complex:
        return complex(self._scalar())

    def __index__(self: Any) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.item())

    def _scalar(self: Any) -> Any:
        if self.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        return self.item()


_READ = "read it, with .ndarray() or .masked_array(), or several at once with biggus.ndarrays"
_DATASET = "a Dataset, from biggus.open_dataset or biggus.xarray.open, has it"
_CALLED = {
    **dict.fromkeys(("compute", "load", "persist", "to_numpy", "values"), _READ),
    **dict.fromkeys(("coords", "isel", "sel", "sizes", "to_xarray"), _DATASET),
    **dict.fromkeys(("to_hdf5", "to_netcdf", "to_zarr", "save", "store"), "biggus.save writes it"),
    **dict.fromkeys(
        ("coarsen", "map_blocks", "map_overlap", "topk"), "call that function of biggus"
    ),
    **dict.fromkeys(("groupby", "resample"), "biggus.groupby_reduce has groups"),
    "chunk": "call .rechunk(...)",
    "chunksize": "the attribute grid holds the shape of the chunks",
    "percentile": "call biggus.percentile",
    "plot": "biggus.quicklook, imshow and plot draw it",
    "rolling": "a Dataset, from biggus.xarray.open, has it",
}
"""Attributes of arrays of xarray and dask, and their alternatives."""


class Refusals:
    """Mixin of the operators and attributes that a lazy array does not have."""

    __slots__ = ()

    def __dir__(self: Any) -> list[str]:
        """Return the names of the attributes that can be accessed without an error."""
        usable = {"reshape": not self.masked, "mT": self.ndim > 1, "_data": False, "_mask": False}
        return [name for name in super().__dir__() if usable.get(name, True)]

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
            elif name[:1] != "_" and name in self.dims:
                problem += f": it is an axis, and {_DATASET.removesuffix('it')}its coordinate"
            if name == "mask":
                problem = "a lazy array has no 'mask': read it first, with .masked_array()"
            if name[:2] != "__" and hasattr(np.ndarray, name) and not hasattr(kind, name):
                problem = f"a lazy array has no {name!r}: read it first, with .ndarray()"
            raise AttributeError(problem, name=name, obj=self)
