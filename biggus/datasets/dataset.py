"""`Dataset`: the variables of a group as lazy arrays, with coordinates; and `open_dataset`."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.datasets.group import Group, Opening, groups_at, names_of
from biggus.datasets.selecting import AxisPositions
from biggus.errors import VariableError
from biggus.labels.attributes import STRUCTURE
from biggus.support.forks import between_forks
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    import os

    from biggus.array import Array
    from biggus.cache import Cache


class Dataset(Mapping[str, "Array"]):
    """The variables of a group as lazy arrays, with the attributes and selections of xarray.

    It is an immutable mapping.  As in ``xarray.Dataset``, iteration and ``len`` are over
    the data variables alone; ``in`` and ``[]`` take coordinates too.  ``ds["t"]`` and ``ds.t``
    are arrays, ``ds[["t", "u"]]`` is a dataset.  Times are not decoded.

    Datasets are made by :func:`biggus.open_dataset`.

    Parameters
    ----------
    group : Group
        The group.
    coords : iterable of str, optional
        The names of the coordinates.  By default, a variable is a coordinate if it is named like
        its only axis, or if an attribute ``coordinates`` names it.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.zeros((2, 3)), f"{path}::v")
    >>> biggus.open_dataset(path)["v"].shape
    (2, 3)
    """

    def __init__(self, group: Group, coords: Iterable[str] | None = None) -> None:
        self._group = group
        self._coords = frozenset(_coordinates_of(group) if coords is None else coords)

    @property
    def variables(self) -> dict[str, Array]:
        """All variables, by name."""
        return dict(self._group.variables)

    @property
    def coords(self) -> dict[str, Array]:
        """The coordinates, by name."""
        return {name: a for name, a in self._group.variables.items() if name in self._coords}

    @property
    def data_vars(self) -> dict[str, Array]:
        """The variables that are no coordinates, by name."""
        return {name: a for name, a in self._group.variables.items() if name not in self._coords}

    @property
    def sizes(self) -> dict[str, int]:
        """The length of each axis, by name."""
        sizes: dict[str, int] = {}
        for name, array in self._group.variables.items():
            sizes.update(zip(self._group.dims[name], array.shape, strict=True))
        return sizes

    @property
    def dims(self) -> dict[str, int]:
        """The length of each axis, by name: `sizes` by the name that xarray gave it first."""
        return self.sizes

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the group."""
        return self._group.attributes

    @property
    def encoding(self) -> dict[str, Any]:
        """The location as ``source``, and the names of the unlimited axes."""
        return self._group.encoding()

    def __getitem__(self, name: Any) -> Any:
        group = self._group
        if isinstance(name, list):
            named = {each: self[each] for each in name}
            dims = {dim for each in name for dim in group.dims[each]}
            beside = {n: a for n, a in self.coords.items() if dims.issuperset(group.dims[n])}
            return self._with({**named, **beside}, group.dims)
        try:
            return group.variables[name]
        except (KeyError, TypeError):
            known = tuple(map(str, group.variables))
            problem = f"there is no variable {name!r}"
            raise VariableError(group.location.public, problem, known, str(name)) from None

    def __getattr__(self, name: str) -> Any:
        group = vars(self).get("_group")  # missing while it is unpickled
        if group is not None:
            for named in (group.variables, group.attributes):
                if name in named:
                    return named[name]
        hint = did_you_mean(name, group.variables) if group is not None and name[:1] != "_" else ""
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}{hint}; .to_xarray() makes "
            "an xarray.Dataset, which has more"
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *filter(str.isidentifier, self._group.variables)]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._group.variables)

    def __contains__(self, name: object) -> bool:
        return name in self._group.variables

    def __iter__(self) -> Iterator[str]:
        return iter(self.data_vars)

    def __len__(self) -> int:
        return len(self.data_vars)

    def _with(self, variables: Mapping[str, Array], dims: Mapping[str, tuple[str, ...]]) -> Dataset:
        own = {name: dims[name] for name in variables}
        return Dataset(
            self._group._replace(variables=dict(variables), dims=own),
            self._coords.intersection(variables),
        )

    def isel(
        self, indexers: Mapping[str, Any] | None = None, drop: bool = False, **by_name: Any
    ) -> Dataset:
        """Select by position along named axes.

        Parameters
        ----------
        indexers : mapping of str to int, slice or list of int, optional
            The indices, by the name of the axis.
        drop : bool, optional
            Whether to leave out coordinates that become scalars by integer indices.
        **by_name : int, slice or list of int
            Further indices.

        Returns
        -------
        Dataset
            A dataset of lazy arrays.

        Raises
        ------
        ValueError
            If there is no such axis.

        Examples
        --------
        >>> import biggus, numpy as np, pathlib, tempfile, zarr
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
        >>> _ = zarr.open_group(path).create_array(
        ...     "v", data=np.arange(6).reshape(2, 3), dimension_names=("time", "x")
        ... )
        >>> biggus.open_dataset(path).isel(time=0, x=slice(1, 3)).v.ndarray()
        array([1, 2])
        """
        indexers = {**(indexers or {}), **by_name}
        sizes = self.sizes
        for dim, indexer in indexers.items():
            if dim not in sizes:
                raise ValueError(f"there is no axis {dim!r}; there are {', '.join(sizes)}")
            if indexer is None or indexer is Ellipsis:
                raise TypeError(f"{dim} is selected by integers or slices, not by {indexer!r}")
        gone = {dim for dim, indexer in indexers.items() if _is_one(indexer)}
        variables, dims = {}, {}
        for name, array in self._group.variables.items():
            own = self._group.dims[name]
            if drop and name in self._coords and own and gone.issuperset(own):
                continue
            key = tuple([indexers.get(dim, slice(None)) for dim in own])
            variables[name] = array.oindex[key] if own else array
            dims[name] = tuple([dim for dim in own if dim not in gone])
        return self._with(variables, dims)

    def sel(
        self,
        indexers: Mapping[str, Any] | None = None,
        method: str | None = None,
        tolerance: Any = None,
        drop: bool = False,
        **by_name: Any,
    ) -> Dataset:
        """Select by the values of coordinates, which are read.

        Parameters
        ----------
        indexers : mapping of str to scalar, slice or list, optional
            The values, by the name of the axis.  Slices include both ends.  Times are strings
            (``"2001-03-04 12:00"``; ``"2001-03"`` selects the month, and ``"2001-03-04"`` one
            of daily times, without its axis), dates, or numbers as they are stored.  Along an
            axis without a coordinate these are positions.
        method : {"nearest", "pad", "ffill", "backfill", "bfill"}, optional
            What a value selects that the coordinate does not have: the nearest one, or the one
            before (pad, ffill) or after it (backfill, bfill) in the order of the coordinate.
        tolerance : number or timedelta, optional
            The greatest distance to the value that `method` selects.
        drop : bool, optional
            Whether to leave out coordinates of which single values select a single value.
        **by_name : scalar, slice or list
            Further values.

        Returns
        -------
        Dataset
            A dataset of lazy arrays.

        Raises
        ------
        KeyError
            If there is no such axis, or the coordinate has no such value.
        ValueError
            If `method` is given for an axis without a coordinate.

        Examples
        --------
        >>> import biggus, numpy as np, pathlib, tempfile, zarr
        >>> group = zarr.open_group(pathlib.Path(tempfile.mkdtemp()) / "a.zarr")
        >>> for name, values in (("lat", [50, 51, 52]), ("t", [7.5, 8.5, 9.5])):
        ...     _ = group.create_array(name, data=np.array(values), dimension_names=("lat",))
        >>> dataset = biggus.open_dataset(group.store.root)
        >>> dataset.sel(lat=slice(51, 52)).t.ndarray()
        array([8.5, 9.5])
        >>> dataset.sel(lat=51.2, method="nearest").t.ndarray()
        array(8.5)
        """
        group, positions = self._group, {}
        for dim, label in {**(indexers or {}), **by_name}.items():
            if group.dims.get(dim) == (dim,):
                coordinate = group.variables[dim]
                along = AxisPositions(dim, coordinate.masked_array(), coordinate.attrs)
                positions[dim] = along.of(label, method, tolerance)
            elif dim not in self.sizes:
                there = ", ".join(self.sizes)
                raise KeyError(f"there is no coordinate along an axis {dim!r}; there are {there}")
            elif method is not None or tolerance is not None:
                raise ValueError(f"the axis {dim!r} has no coordinate for `method={method!r}`")
            else:
                positions[dim] = label
        return self.isel(positions, drop)

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
        for name, array in self._group.variables.items():
            attributes = dict(array.attrs)
            attributes.pop("_Encoding", None)  # characters are decoded already
            values = array if not array.masked else _unmasked(array)
            variables[name] = xr.Variable(self._group.dims[name], values, attributes)
        attrs = {name: value for name, value in self.attrs.items() if name not in STRUCTURE}
        decoded = xr.decode_cf(xr.Dataset(variables, attrs=attrs))
        return decoded.set_coords(self._coords)

    def __repr__(self) -> str:
        place = "::".join(filter(None, [self._group.location.public, self._group.path]))
        sizes = ", ".join([f"{dim}: {n}" for dim, n in self.sizes.items()])
        parts = {
            "Coordinates": [self._row(name) for name in self.coords],
            "Data variables": [self._row(name) for name in self.data_vars] or ["    *empty*"],
            "Attributes": [
                f"    {textwrap.shorten(f'{name}: {value}', 76)}"
                for name, value in self.attrs.items()
            ],
        }
        lines = [f"<biggus.Dataset {place}>", f"Dimensions: ({sizes})"]
        for title, rows in parts.items():
            lines += [f"{title}:", *rows] if rows else []
        return "\n".join(lines)

    def _row(self, name: str) -> str:
        """Return the line of a variable; a coordinate that `sel` takes is marked."""
        array, dims = self._group.variables[name], self._group.dims[name]
        width = max(map(len, self._group.variables))
        masked = " masked" if array.masked else ""
        units = f" {array.units!r}" if array.units is not None else ""
        mark = "*" if dims == (name,) else " "
        return f"  {mark} {name:{width}} ({', '.join(dims)}) {array.dtype}{masked}{units}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _coordinates_of(group: Group) -> Iterator[str]:
    attributes = [group.attributes, *[array.attrs for array in group.variables.values()]]
    named: set[str] = set()
    for each in attributes:
        names = each.get("coordinates")
        named.update(names.split() if isinstance(names, str) else ())
    for name in group.variables:
        if name in named or group.dims[name] == (name,):
            yield name


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
    [opened] = groups_at(location, opening, group, names_of(drop_variables)).values()
    return Dataset(opened)
