"""The engine of ``xarray.open_dataset(location, engine="biggus")``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from xarray import Dataset, Variable
from xarray.backends.common import AbstractDataStore, BackendArray, BackendEntrypoint
from xarray.backends.store import StoreBackendEntrypoint
from xarray.core import indexing
from xarray.core.indexing import ExplicitlyIndexed

from biggus.array import Array
from biggus.datasets import Group, Opening, groups_at, names_of, record_at
from biggus.labels import encoding_of, labels_of
from biggus.labels.attributes import STRUCTURE

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping


_OWN = (STRUCTURE - {"_FillValue"}) | {"_NoFill"}
"""Attributes that formats use internally, and that users do not see."""


_SMALL = 2**20
"""The most bytes of an index coordinate that is read when a dataset is opened."""


class Engine(BackendEntrypoint):
    """An engine of xarray that opens variables as lazy arrays of biggus, without dask."""

    description: ClassVar[str] = "Open NetCDF, HDF5, Zarr and more, lazily and without dask"
    supports_groups: ClassVar[bool] = True

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: Any = True,
        decode_times: Any = True,
        concat_characters: Any = True,
        decode_coords: Any = True,
        use_cftime: Any = None,
        decode_timedelta: Any = None,
        group: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> Dataset:
        """Open a dataset; `options` are further arguments of :func:`biggus.open`."""
        dropped = names_of(drop_variables)
        opening = _opening(options)
        opened = _group_at(filename_or_obj, opening, group or "", dropped)
        decoding = {
            "mask_and_scale": mask_and_scale,
            "decode_times": decode_times,
            "concat_characters": concat_characters,
            "decode_coords": decode_coords,
            "use_cftime": use_cftime,
            "decode_timedelta": decode_timedelta,
        }
        return _dataset(opened, decoding)

    def open_groups_as_dict(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        options: dict[str, Any] | None = None,
        **decoding: Any,
    ) -> dict[str, Dataset]:
        """Open all groups, as a dict of datasets by path."""
        dropped = names_of(drop_variables)
        opening = _opening(options)
        groups = groups_at(filename_or_obj, opening, None, dropped)
        root = (group or "").strip("/")
        inner = f"{root}/" if root else ""
        return {
            f"/{path.removeprefix(root).strip('/')}": _dataset(each, decoding)
            for path, each in groups.items()
            if path == root or path.startswith(inner)
        }

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> Any:
        """Open all groups as a tree."""
        from xarray import DataTree

        return DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))


def _opening(options: dict[str, Any] | None) -> Opening:
    further = dict(options or {})
    return Opening(further.pop("backend", None), further.pop("cache", None), False, further)


def _group_at(location: Any, opening: Opening, path: str, dropped: Iterable[str]) -> Group:
    if isinstance(location, Group):
        return location  # the joined group of several files
    record = None if dropped else record_at(location, opening, path)
    if record is not None:
        return record.group()
    [opened] = groups_at(location, opening, path, dropped).values()
    return opened


def _dataset(group: Group, decoding: Mapping[str, Any]) -> Dataset:
    # The decoder looks at dropped variables, too: others may be decoded as they say.
    dataset = StoreBackendEntrypoint().open_dataset(
        _Store(group), drop_variables=set(group.dropped), **decoding
    )
    for name, variable in dataset.variables.items():
        if name not in dataset.dims or variable.ndim != 1:
            lazy = LazyVariable(
                variable.dims, _lazy(variable), variable.attrs, variable.encoding, fastpath=True
            )
            dataset._variables[name] = lazy  # noqa: SLF001 - assignment would wrap the array
    return dataset


def _lazy(variable: Variable) -> Any:
    """Return the data of a variable, unread; truth values that are stored as numbers, lazy."""
    data: Any = variable._data  # noqa: SLF001 - `data` might read
    array = data
    while isinstance(array, indexing.ExplicitlyIndexed) and hasattr(array, "array"):
        array = array.array
    if variable.dtype == bool and isinstance(array, Array):
        return array.astype(bool)
    return data


class _Store(AbstractDataStore):
    """A group, as the data store that the decoder of xarray takes."""

    def __init__(self, group: Group) -> None:
        self.group = group

    def get_variables(self) -> dict[str, Any]:
        return {name: self._variable(name) for name in (*self.group.variables, *self.group.dropped)}

    def _variable(self, name: str) -> Any:
        group = self.group
        array, dims = {**group.dropped, **group.variables}[name], group.dims[name]
        attributes = group.variable_attributes.get(name)
        if attributes is None:
            attributes = labels_of(array.node).attributes
        encoding: dict[str, Any] = {"source": group.location.public, "original_shape": array.shape}
        if array.grid is not None and all(isinstance(n, int) for n in array.grid):
            encoding["chunksizes"] = array.grid  # as netCDF's writers call it
            encoding["chunks"] = array.grid  # as Zarr's does
            encoding["preferred_chunks"] = dict(zip(dims, array.grid, strict=True))
            encoding.update(_compression(array))
        # xarray would read arrays of objects to find out whether they are strings.
        encoding["dtype"] = str if _is_text(array) else array.dtype
        known = group.values.get(name)
        data = _data(array, dims == (name,)) if known is None else known
        return Variable(dims, data, _users(attributes), encoding)

    def get_attrs(self) -> dict[str, Any]:
        return _users(self.group.attributes)

    def get_encoding(self) -> dict[str, Any]:
        """Return where the group is, and the dimensions along which its variables may grow."""
        return self.group.encoding()


def _compression(array: Array) -> dict[str, Any]:
    """Return how chunks are compressed, in the words of netCDF's writers, which know zlib alone."""
    compression = encoding_of(array.node).get("compression")
    if compression is None or compression.name not in ("zlib", "gzip"):
        return {}
    level = {} if compression.level is None else {"complevel": compression.level}
    return {"zlib": True, "shuffle": compression.shuffle, **level}


def _users(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in _OWN}


def _is_text(array: Array) -> bool:
    """Tell whether objects are strings, and not rows of numbers; the first one is read."""
    if array.dtype.kind != "O" or not array.size:
        return array.dtype.kind == "O"
    first = array[(0,) * array.ndim].masked_array()
    return not isinstance(first.data[()], np.ndarray)


def _data(array: Array, index: bool) -> Any:
    """Return the data of a variable: a lazy array if it is numeric, and not an index."""
    if index and array.nbytes <= _SMALL:
        return array.ndarray()  # xarray needs the values of an index at once
    if index or array.dtype.kind not in "iufcb" or not array.ndim:
        return indexing.LazilyIndexedArray(_Read(array))
    return array


class _Read(BackendArray):
    """A lazy array that xarray reads when it needs values."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> Any:
        return self.array.oindex[key].ndarray()


class LazyVariable(Variable):
    """A variable of ``xarray.open_dataset``: its data are a lazy array, except for strings.

    xarray copies the arrays of an engine when they are written to, and caches their values.  A lazy
    array never changes, and is computed when it is read: it needs neither.
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
        from_array = keywords.get("from_array_kwargs") or {}
        if str(from_array.get("name", "")).startswith("open_dataset-"):
            return self
        chunked: Variable = super().chunk(*arguments, **keywords)
        return chunked
