"""Locations that are saved to: ``out.zarr``, ``out.h5::name``."""

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
"""What makes a store, by the suffix of its name."""


class Place(NamedTuple):
    """Where a new array goes."""

    path: Path
    name: str
    """Its name in the store; empty for the store itself."""

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"{self.path}::{self.name}" if self.name else str(self.path)


def sibling(place: Place, name: str) -> Place:
    """Return the place of something that lies beside an array, by its name there."""
    folder, _, _ = place.name.rpartition("/")
    return Place(place.path, "/".join(filter(None, [folder, name.rpartition("/")[2]])))


def place_of(location: str | os.PathLike[str], node: Node) -> Place:
    """Return the place that a location names, for a node.

    Where the format needs a name and the location has none it is that of the array itself.

    Raises
    ------
    OutputError
        If it is none that can be written to, or lacks a name or has one too many.
    """
    text = os.fspath(location)
    if not isinstance(text, str):
        raise TypeError(f"a location is a string or a path, not {location!r}")
    path_text, name = split_location(text)
    where = Location(path_text)
    if where.scheme:
        raise OutputError(f"cannot write {where.public}: only to files and folders of this machine")
    path = _one_name(where.path)
    named = store_class(path).named
    name = name.strip("/")
    if named and not name:
        name = labels_of(node).name or ""
    if named and not name:
        raise OutputError(f"cannot write {path}: name the array in it, as in {path.name}::name")
    if named is False and "::" in text:
        raise OutputError(f"cannot write {text}: a {path.suffix} file holds one array, of no name")
    if any(part in ("", ".", "..") for part in name.split("/")) and name:
        raise OutputError(f"cannot write {text}: {name!r} is no name of an array")
    return Place(path, name)


def _one_name(path: Path) -> Path:
    """Return a path that is the same for all ways of naming its folder."""
    try:
        return path.parent.resolve() / path.name
    except (OSError, RuntimeError):
        return path


def store_class(path: Path) -> type[NewStore]:
    """Return what makes a store at `path`.

    Raises
    ------
    OutputError
        If its suffix tells no format that is written.
    """
    try:
        return STORES[path.suffix.lower()]
    except KeyError:
        raise OutputError(f"cannot write {path}: name it with one of {', '.join(STORES)}") from None


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise an OutputError if the arrays of one store stand in each other's way."""
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            short, long = sorted((name, other), key=len)
            if short == long or not short or long.startswith(f"{short}/"):
                raise OutputError(
                    f"cannot write {path}: {name or 'an array of no name'!r} and "
                    f"{other or 'an array of no name'!r} do not fit into one store"
                )


def check_nothing_lost(path: Path, names: Sequence[str]) -> None:
    """Raise an OutputError if a store that is to be replaced holds other arrays than these."""
    if "" in names or not path.exists():
        return
    where = Location(path)
    try:
        there = backend_for(where).variables(where)
    except (BiggusError, OSError):
        there = ()  # no store that is known, or a damaged one
    others = sorted({name.strip("/") or "/" for name in there} - set(names))
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise OutputError(
            f"cannot write {path}: it is replaced as a whole, and holds others too, which would "
            f"be lost: {shown}; save to another file, or give an open dataset of it as the target"
        )
