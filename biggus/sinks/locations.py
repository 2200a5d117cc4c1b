"""Locations of new arrays, such as ``out.zarr`` and ``out.h5::name``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from biggus.backends import Location, backend_for
from biggus.backends.location import split_location
from biggus.errors import BiggusError, OutputError
from biggus.labels import labels_of
from biggus.sinks.hdf5 import HDF5Store
from biggus.sinks.netcdf import NetCDFStore
from biggus.sinks.npy import NpyStore
from biggus.sinks.zarr import NewZarrStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from biggus.graph import Node
    from biggus.sinks.new import NewStore

STORES: dict[str, type[NewStore]] = {
    ".h5": HDF5Store,
    ".hdf5": HDF5Store,
    ".nc": NetCDFStore,
    ".nc4": NetCDFStore,
    ".npy": NpyStore,
    ".zarr": NewZarrStore,
}
"""The classes of new stores, by suffix."""


class Place(NamedTuple):
    """The place of a new array: the path of its store, and its name there."""

    path: Path
    name: str
    """The name in the store; empty for the store itself."""

    @property
    def label(self) -> str:
        """The name for error messages."""
        return f"{self.path}::{self.name}" if self.name else str(self.path)


def sibling(place: Place, name: str) -> Place:
    """Return the place of another array in the same group."""
    folder, _, _ = place.name.rpartition("/")
    return Place(place.path, "/".join(filter(None, [folder, name.rpartition("/")[2]])))


def place_of(location: str | os.PathLike[str], node: Node) -> Place:
    """Return the place that a location names, for a node.

    If the location has no name, it is the name of the array, in formats that hold names.  The
    name ``/`` stands for a Zarr store that is one array without a name.  So does no name at all,
    unless the array has coordinates, which need a group: then its name is ``data``.

    Raises
    ------
    OutputError
        If the location cannot be written to, lacks a name, or must not have one.
    """
    text = os.fspath(location)
    if not isinstance(text, str):
        raise TypeError(f"a location is a string or a path, not {location!r}")
    path_text, name = split_location(text)
    where = Location(path_text)
    if where.scheme:
        raise OutputError(f"cannot write {where.public}: only local files and folders are written")
    path = _one_name(where.path)
    named = store_class(path).named
    if not name and named is not False:
        name = labels_of(node).name.rpartition("/")[2]
    if not name and named is None and labels_of(node, coordinates=True).coordinates:
        name = "data"
    name = name.strip("/")
    if named and not name:
        raise OutputError(f"cannot write {path}: name the array in it, as in {path.name}::name")
    if named is False and "::" in text:
        raise OutputError(f"cannot write {text}: a {path.suffix} file holds one array, unnamed")
    if any(part in ("", ".", "..") for part in name.split("/")) and name:
        raise OutputError(f"cannot write {text}: {name!r} is not a valid name of an array")
    return Place(path, name)


def _one_name(path: Path) -> Path:
    """Return a path whose folder is resolved, so that equal places have equal paths."""
    try:
        return path.parent.resolve() / path.name
    except (OSError, RuntimeError):
        return path


def store_class(path: Path) -> type[NewStore]:
    """Return the class of the new store at `path`.

    Raises
    ------
    OutputError
        If the suffix is not of a format that can be written.
    """
    try:
        return STORES[path.suffix.lower()]
    except KeyError:
        raise OutputError(f"cannot write {path}: name it with one of {', '.join(STORES)}") from None


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise an OutputError if two arrays of one store have conflicting names."""
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            short, long = sorted((name, other), key=len)
            if short == long or not short or long.startswith(f"{short}/"):
                raise OutputError(
                    f"cannot write {path}: {name or 'an array of no name'!r} and "
                    f"{other or 'an array of no name'!r} do not fit into one store"
                )


def check_nothing_lost(path: Path, names: Sequence[str]) -> None:
    """Raise an OutputError if a store to be replaced holds other arrays, which would be lost."""
    if "" in names or not path.exists():
        return
    where = Location(path)
    try:
        there = backend_for(where).variables(where)
    except (BiggusError, OSError):
        there = ()  # an unknown format, or a damaged store
    others = sorted({name.strip("/") or "/" for name in there} - set(names))
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise OutputError(
            f"cannot write {path}: it would be replaced as a whole, and holds other arrays, which "
            f"would be lost: {shown}; save to another file, or pass an open dataset as the target"
        )
