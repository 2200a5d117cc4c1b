"""`Dataset`: the variables of a group as lazy arrays, with coordinates; and `open_dataset`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.datasets.group import Group, Opening, groups_at, names_of
from biggus.datasets.selecting import AxisPositions
from biggus.labels.attributes import STRUCTURE
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    import os

    from biggus.array import Array
    from biggus.cache import Cache


class Dataset(Mapping[str, "Array"]):
    """The variables of a group: an immutable mapping of names to lazy arrays.

    Datasets are made by :func:`biggus.open_dataset`.

    Parameters
    ----------
    group : Group
        The group.

    Attributes
    ----------
    attrs : dict
        The attributes of the group.
    sizes : dict of str to int
        The length of each axis, by name.
    coords : tuple of str
        The names of the variables that are coordinates.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.zeros((2, 3)), f"{path}::v")
    >>> biggus.open_dataset(path)["v"].shape
    (2, 3)
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self._variables = group.variables
        self._dims = group.dims
        self.attrs = group.attributes
        self.sizes: dict[str, int] = {}
        for name, array in self._variables.items():
            self.sizes.update(zip(self._dims[name], array.shape, strict=True))
        self.coords = tuple(self._coordinates())

    def __getitem__(self, name: str) -> Array:
        try:
            return self._variables[name]
        except KeyError:
            known = ", ".join(self._variables)
            where = self._group.location.public
            raise KeyError(f"there is no {name!r} in {where}; there are {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def dims(self, name: str) -> tuple[str, ...]:
        """Return the names of the axes of a variable.

        Parameters
        ----------
        name : str
            The name of the variable.

        Returns
        -------
        tuple of str
            The names of the axes.
        """
        return self._dims[name]

    def _coordinates(self) -> Iterator[str]:
        named: set[str] = set()
        for array in self._variables.values():
            told = array.attrs.get("coordinates")
            named.update(told.split() if isinstance(told, str) else ())
        for name in self._variables:
            if name in named or self._dims[name] == (name,):
                yield name

    def isel(self, **indexers: Any) -> Dataset:
        """Select by position along named axes.

        Parameters
        ----------
        **indexers : int, slice or list of int
            The indices, by the name of the axis.

        Returns
        -------
        Dataset
            A dataset of lazy arrays.

        Raises
        ------
        KeyError
            If there is no such axis.
        """
        for dim, indexer in indexers.items():
            if dim not in self.sizes:
                raise KeyError(f"there is no axis {dim!r}; there are {', '.join(self.sizes)}")
            if indexer is None or indexer is Ellipsis:
                raise TypeError(f"{dim} is selected by integers or slices, not by {indexer!r}")
        variables, dims = {}, {}
        for name, array in self._variables.items():
            own = self._dims[name]
            key = tuple([indexers.get(dim, slice(None)) for dim in own])
            variables[name] = array.oindex[key] if own else array
            dims[name] = tuple([dim for dim in own if not _is_one(indexers.get(dim))])
        return Dataset(self._group._replace(variables=variables, dims=dims))

    def sel(self, method: str | None = None, **labels: Any) -> Dataset:
        """Select by the values of coordinates, which are read.

        Parameters
        ----------
        method : {"nearest"}, optional
            With "nearest", a value that the coordinate does not have selects the nearest one.
        **labels : scalar, slice or list
            The values, by the name of the axis.  Slices include both ends.  Times are strings
            (``"2001-03-04 12:00"``; ``"2001-03"`` selects the month), dates, or numbers as
            they are stored.

        Returns
        -------
        Dataset
            A dataset of lazy arrays.

        Raises
        ------
        KeyError
            If there is no such axis, or the coordinate has no such value.
        """
        indexers = {}
        for dim, label in labels.items():
            if self._dims.get(dim) != (dim,):
                there = ", ".join(name for name in self.sizes if self._dims.get(name) == (name,))
                raise KeyError(f"there is no coordinate along an axis {dim!r}; there are {there}")
            coordinate = self._variables[dim]
            positions = AxisPositions(dim, coordinate.masked_array(), coordinate.attrs)
            indexers[dim] = positions.of(label, method)
        return self.isel(**indexers)

    def to_xarray(self) -> Any:
        """Convert to an ``xarray.Dataset`` of lazy arrays, without dask.

        Times are decoded, and missing values become NaN, as with ``xarray.open_dataset``.

        Returns
        -------
        xarray.Dataset
            The dataset; its values have not been read.

        Raises
        ------
        MissingDependencyError
            If xarray is not installed.
        """
        with between_forks():
            from biggus.support.extras import needing

        with needing("xarray", "xarray", "to hand arrays over to it"):
            import xarray as xr

        variables = {}
        for name, array in self._variables.items():
            told = dict(array.attrs)
            told.pop("_Encoding", None)  # characters are decoded already
            values = array if not array.masked else _unmasked(array)
            variables[name] = xr.Variable(self._dims[name], values, told)
        given = {name: value for name, value in self.attrs.items() if name not in STRUCTURE}
        return xr.decode_cf(xr.Dataset(variables, attrs=given))

    def __repr__(self) -> str:
        axes = ", ".join(f"{dim}: {n}" for dim, n in self.sizes.items())
        place = "::".join(filter(None, [self._group.location.public, self._group.path]))
        lines = [f"<biggus.Dataset {place} ({axes})>"]
        for name, array in self._variables.items():
            mark = "*" if name in self.coords else " "
            masked = " masked" if array.masked else ""
            lines.append(f"{mark} {name} ({', '.join(self._dims[name])}) {array.dtype}{masked}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _is_one(indexer: Any) -> bool:
    return indexer is not None and not isinstance(indexer, slice) and np.ndim(indexer) == 0


def _unmasked(array: Array) -> Array:
    if array.dtype.kind not in "fcmM":
        array = array.astype("f4" if array.dtype.itemsize <= 2 else "f8")
    return array.filled("NaT" if array.dtype.kind in "mM" else float("nan"))


def open_dataset(
    location: str | os.PathLike[str],
    group: str = "",
    *,
    backend: str | None = None,
    cache: Cache | bool | None = None,
    decode: bool = True,
    drop_variables: str | Iterable[str] | None = None,
    **options: Any,
) -> Dataset:
    """Open all variables of a store, or of a group of it, as a dataset of lazy arrays.

    Parameters
    ----------
    location : str or os.PathLike
        A path or a URL.
    group : str, optional
        The path of a group; by default the root.
    backend, cache, decode, **options
        As for :func:`open`, for each variable.
    drop_variables : str or iterable of str, optional
        The names of variables to leave out.

    Returns
    -------
    Dataset
        The dataset; its values have not been read.

    Raises
    ------
    OpenError
        If the location cannot be opened: `GoneError` if it does not exist, `VariableError` if
        it has no such group.

    Examples
    --------
    >>> import biggus, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save([biggus.zeros(3), biggus.ones((3, 2))], [f"{path}::x", f"{path}::y"])
    >>> sorted(biggus.open_dataset(path))
    ['x', 'y']
    """
    opening = Opening(backend, cache, decode, options)
    [found] = groups_at(location, opening, group, names_of(drop_variables)).values()
    return Dataset(found)
