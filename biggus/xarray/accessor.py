"""The accessor ``.biggus`` of xarray's datasets and data arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from biggus.array import Array
from biggus.functions.axes import moveaxis
from biggus.functions.groups import groupby_reduce
from biggus.together import ndarrays, plan

if TYPE_CHECKING:
    import os

    from biggus.planning.report import Plan


@xr.register_dataset_accessor("biggus")  # type: ignore[no-untyped-call] # xarray has no types there
@xr.register_dataarray_accessor("biggus")  # type: ignore[no-untyped-call] # likewise
class Accessor:
    """Operations of biggus on the lazy variables of a dataset or data array.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The object whose ``.biggus`` it is.

    Examples
    --------
    >>> import biggus, biggus.xarray, xarray as xr
    >>> ds = xr.Dataset({"v": (("y", "x"), biggus.ones((2, 3)))})
    >>> ds.biggus.plan().read_bytes
    0
    >>> ds.mean().biggus.compute()["v"].item()
    1.0
    """

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def plan(self) -> Plan:
        """Plan the computation of all lazy variables; see :func:`biggus.plan`.

        Returns
        -------
        Plan
            The passes over the data, the bytes to read, and the peak memory.
        """
        return plan(_arrays_of(self._obj))

    def compute(self, *others: Any) -> Any:
        """Compute the object and others together, in as few passes over the data as possible.

        Parameters
        ----------
        *others : xarray.Dataset or xarray.DataArray
            Objects to compute at the same time.

        Returns
        -------
        Dataset or DataArray, or tuple of them
            The object with its values in memory; with `others`, a tuple of all objects.
        """
        every = [self._obj, *others]
        arrays = [_arrays_of(one) for one in every]
        known: dict[int, Array] = {}
        for array in [each for some in arrays for each in some]:
            known.setdefault(id(array), array)
        values = dict(zip(known, ndarrays(list(known.values())), strict=True))
        computed = tuple([_with_values(one, values) for one in every])
        return computed if others else computed[0]

    def groupby_reduce(self, by: Any, func: str, **parameters: Any) -> Any:
        """Compute a statistic of each group lazily, in one pass over the data.

        The ``groupby`` of xarray is lazy as well, but reads a chunk once for each group that
        has values in it.

        Parameters
        ----------
        by : hashable or xarray.DataArray
            The labels of the groups, or the name of a variable, such as ``"time.month"``.
            They are read at once.
        func : str
            The statistic, as for :func:`biggus.groupby_reduce`.  The mean of xarray, which
            skips NaN, is ``"nanmean"``.
        **parameters
            Further arguments of the statistic, such as ``ddof``.

        Returns
        -------
        Dataset or DataArray
            The statistic of each variable that has the dimensions of the labels.  The
            dimension of the groups replaces the first of them.  Other variables are unchanged.

        Raises
        ------
        ValueError
            If no variable has the dimensions of the labels.
        """
        obj = self._obj
        if isinstance(obj, xr.DataArray):
            whole = _grouped(obj._to_temp_dataset(), obj, by, func, parameters)  # noqa: SLF001 - as xarray's own accessors do
            return obj._from_temp_dataset(whole)  # noqa: SLF001 - as above
        return _grouped(obj, obj, by, func, parameters)

    def save(self, location: str | os.PathLike[str], **keywords: Any) -> None:
        """Write the object to a new Zarr store or NetCDF file, block by block.

        Parameters
        ----------
        location : str or os.PathLike
            The path: a Zarr store if it ends in ``.zarr``, else a NetCDF file.
        **keywords
            Further arguments of ``to_zarr`` or ``to_netcdf`` of xarray, such as ``encoding``.
        """
        dataset = self._obj
        if isinstance(dataset, xr.DataArray):
            dataset = dataset.to_dataset(name=dataset.name or "data")
        if str(location).rstrip("/").endswith(".zarr"):
            dataset.to_zarr(location, **keywords)
        else:
            dataset.to_netcdf(location, **keywords)


def _variables_of(obj: Any) -> dict[Any, Any]:
    if isinstance(obj, xr.DataArray):
        obj = obj._to_temp_dataset()  # noqa: SLF001 - as xarray's own accessors do
    return dict(obj.variables)


def _arrays_of(obj: Any) -> list[Array]:
    data_of_variables = [variable._data for variable in _variables_of(obj).values()]  # noqa: SLF001 - unread
    return [data for data in data_of_variables if isinstance(data, Array)]


def _with_values(obj: Any, values: dict[int, Any]) -> Any:
    if isinstance(obj, xr.DataArray):
        whole = _with_values(obj._to_temp_dataset(), values)  # noqa: SLF001 - as above
        return obj._from_temp_dataset(whole)  # noqa: SLF001 - as above
    replaced = {
        name: variable.copy(deep=False, data=values[id(variable._data)])  # noqa: SLF001 - unread
        for name, variable in obj.variables.items()
        if id(variable._data) in values  # noqa: SLF001 - unread
    }
    return obj.assign(replaced)


def _grouped(dataset: Any, obj: Any, by: Any, func: str, parameters: dict[str, Any]) -> Any:
    labels = by if isinstance(by, xr.DataArray) else obj[by]
    name = labels.name or "group"
    reduced = {}
    groups: Any = None
    for each, variable in dataset.data_vars.items():
        if not set(labels.dims) <= set(variable.dims):
            reduced[each] = variable.variable
            continue
        data = variable.variable._data  # noqa: SLF001 - unread
        axes = tuple([variable.dims.index(dim) for dim in labels.dims])
        values, groups = groupby_reduce(data, labels.values, func, axes, **parameters)
        place = min(axes)
        other_dims = [dim for dim in variable.dims if dim not in labels.dims]
        dims = (*other_dims[:place], name, *other_dims[place:])
        lazy = moveaxis(values, -1, place)
        read = lazy if isinstance(data, Array) else lazy.ndarray()
        reduced[each] = xr.Variable(dims, read, variable.attrs)
    if groups is None:
        raise ValueError(f"no variable has the dimensions of the labels, {labels.dims}")
    coordinates = {
        each: coordinate.variable
        for each, coordinate in dataset.coords.items()
        if not set(coordinate.dims) & set(labels.dims) and each != name
    }
    coordinate = xr.Variable((name,), groups, labels.attrs)
    return xr.Dataset(reduced, {**coordinates, name: coordinate}, dataset.attrs)
