"""Variables that stay lazy when xarray opens a dataset."""

from __future__ import annotations

from typing import Any

from xarray import Variable
from xarray.core.indexing import ExplicitlyIndexed

from biggus.array import Array


class LazyVariable(Variable):
    """A variable as it comes out of ``xarray.open_dataset``: of a lazy array, but for strings.

    xarray protects what an engine gives from being written to, and caches it; an array
    that never changes, and is computed when it is read, needs neither.
    """

    __slots__ = ()

    @property
    def data(self) -> Any:
        """The array."""
        return Variable.data.fget(self)  # type: ignore[attr-defined]

    @data.setter
    def data(self, data: Any) -> None:
        wrapped: Any = data
        while isinstance(wrapped, ExplicitlyIndexed) and hasattr(wrapped, "array"):
            wrapped = wrapped.array
        same = isinstance(wrapped, Array) and wrapped is self._data
        Variable.data.fset(self, wrapped if same else data)  # type: ignore[attr-defined]

    def chunk(self, *arguments: Any, **keywords: Any) -> Variable:  # type: ignore[override]
        """Chunk, as ``xarray.Variable.chunk``; the automatic call while opening is ignored.

        The opener would make arrays of dask of strings and structures, and xarray refuses to
        compute a dataset that has arrays of both kinds.
        """
        given = keywords.get("from_array_kwargs") or {}
        if str(given.get("name", "")).startswith("open_dataset-"):
            return self
        chunked: Variable = super().chunk(*arguments, **keywords)
        return chunked
