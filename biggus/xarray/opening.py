"""`open`: one or several locations as a dataset of xarray."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

import xarray as xr

from biggus.backends import Location
from biggus.datasets import Opening, joined_groups, records_at
from biggus.many import matching
from biggus.xarray.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from biggus.cache import Cache

_JOINING = {
    "data_vars": "minimal",
    "coords": "minimal",
    "compat": "override",
    "combine_attrs": "override",
    "join": "exact",
}
"""The default arguments of combining: variables without the dimension come from the first dataset.

Coordinates that differ are an error: the union of two grids would be full of missing values.
"""

_PACKING = ("scale_factor", "add_offset", "dtype", "_Unsigned", "_FillValue", "missing_value")
"""The entries of an encoding that describe packing."""


def open(
    locations: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    concat_dim: str | None = None,
    group: str | None = None,
    backend: str | None = None,
    cache: Cache | bool | None = None,
    options: dict[str, Any] | None = None,
    **keywords: Any,
) -> xr.Dataset:
    """Open one or several locations as a dataset of lazy arrays, without dask.

    Parameters
    ----------
    locations : str or os.PathLike, or iterable of them
        A path, a glob pattern, a URL, or several of them.
    concat_dim : str, optional
        The dimension along which to join several datasets, in the order given; along a new
        dimension, all variables but the coordinates are stacked.  By default datasets are
        joined by their coordinates.
    group : str, optional
        The path of a group; by default the root.
    backend, cache, options : optional
        As for :func:`biggus.open`, for each variable; `options` is a dict of the options of
        the backend.
    **keywords
        Further arguments of ``xarray.open_dataset``; for several locations, of
        ``xarray.combine_by_coords`` or ``xarray.combine_nested``.  By default, variables
        without the dimension are taken from the first dataset, and not compared, and the
        coordinates of other dimensions have to be equal (``join="exact"``).

    Returns
    -------
    xarray.Dataset
        The dataset.  Only small coordinates have been read.

    Raises
    ------
    OpenError
        If a location cannot be opened; `GoneError` if it does not exist.
    ValueError
        If coordinates of other dimensions differ.

    Examples
    --------
    >>> import biggus, biggus.xarray, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.ones((2, 3)), f"{path}::v")
    >>> biggus.xarray.open(path)["v"].mean().item()
    1.0
    """
    several = not isinstance(locations, (str, os.PathLike))
    paths: list[Any] = list(locations) if several else _matching(locations, cache)  # type: ignore[arg-type]
    options_given = {"backend": backend, "cache": cache, **(options or {})}
    how = {"group": group, "options": options_given}
    opening: dict[str, Any] = {"engine": Engine, "backend_kwargs": how}
    if len(paths) == 1 and not several:
        return xr.open_dataset(paths[0], **opening, **keywords)
    if not keywords:
        alike = _of_records(paths, concat_dim, Opening(backend, cache, False, options or {}), group)
        if alike is not None:
            return alike
    parts = [xr.open_dataset(path, **opening) for path in paths]
    try:
        if concat_dim is not None:
            new = all(concat_dim not in part.dims for part in parts)
            how_joined = {**_JOINING, **({"data_vars": "all"} if new else {}), **keywords}
            joined: xr.Dataset = xr.combine_nested(parts, concat_dim, **how_joined)
        else:
            joined = xr.combine_by_coords(_with_values(parts), **{**_JOINING, **keywords})  # type: ignore[assignment]
    except xr.AlignmentError as error:
        for text in _unlike(paths, parts):
            error.add_note(text)
        raise
    except ValueError as error:
        if concat_dim is None:
            error.add_note("`concat_dim=` names the dimension, or a new one, to join along")
        raise
    _forget_packing(joined, parts)
    return joined


def _unlike(paths: Sequence[Any], parts: Sequence[xr.Dataset]) -> Iterator[str]:
    """Say for each coordinate which dataset is the first that differs in it, if one does."""
    for name, index in parts[0].xindexes.items():
        for path, part in zip(paths[1:], parts[1:], strict=True):
            if name in part.xindexes and not index.equals(part.xindexes[name]):
                here, first = [Location(each).public for each in (path, paths[0])]
                yield f"{name} of {here} differs from that of {first}"
                break


def _with_values(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return the datasets without those that are empty along a dimension, unless all are.

    Empty datasets have no coordinate that says where they belong, and xarray refuses them.
    """
    longest: dict[Any, int] = {}
    for part in parts:
        for dim, length in part.sizes.items():
            key = frozenset(part.data_vars), dim
            longest[key] = max(length, longest.get(key, 0))
    return [
        part
        for part in parts
        if all(n or not longest[frozenset(part.data_vars), dim] for dim, n in part.sizes.items())
    ]


def _of_records(
    paths: Sequence[Any], concat_dim: str | None, opening: Opening, group: str | None
) -> xr.Dataset | None:
    """Return the joined dataset of several files, if their records show that they fit."""
    records = []
    for record in records_at(paths, opening, group or ""):
        if record is None:
            return None
        records.append(record)
    if not records:
        return None
    joined = joined_groups(records, concat_dim)
    if joined is None:
        return None
    groups: list[Any] = [joined, records[0].group()]
    found, first = [xr.open_dataset(each, engine=Engine) for each in groups]
    found.encoding = dict(first.encoding)
    for name, variable in found.variables.items():
        variable.encoding = dict(first.variables[name].encoding)
    return found


def _forget_packing(joined: xr.Dataset, parts: Sequence[xr.Dataset]) -> None:
    """Drop the packing of variables that are packed differently in different files.

    When writing, xarray would pack all values as in the first file, and others would overflow.
    """
    for name, variable in joined.variables.items():
        packings = [
            {key: part.variables[name].encoding.get(key) for key in _PACKING}
            for part in parts
            if name in part.variables
        ]
        if any(repr(packing) != repr(packings[0]) for packing in packings):
            for key in _PACKING:
                variable.encoding.pop(key, None)


def _matching(location: str | os.PathLike[str], cache: Cache | bool | None) -> list[Any]:
    text = os.fspath(location)
    if not isinstance(text, str) or not glob.has_magic(text) or os.path.lexists(text):
        return [location]
    return list(matching(text, cache))
