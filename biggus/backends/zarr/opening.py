"""Opening a store, and the source of one array, from a location and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.http.options import OptionChecker
from biggus.backends.location import Location
from biggus.backends.pieces import opening_named
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.remote import RemoteZarrSource, refuse_unknown, remote_store, variant_of
from biggus.backends.zarr.source import ZarrSource
from biggus.backends.zarr.store import FolderStore, ZarrStore, ZipStore
from biggus.errors import BackendOptionError, GoneError, OpenError
from biggus.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Mapping


class ZarrOptions(NamedTuple):
    """The options of the backend."""

    zarr_format: int | None
    decode: bool
    fresh_for: float | None
    stale_if_error: float | None
    of_store: dict[str, Any]
    """The options of `biggus.backends.zarr.remote.remote_store`; a local store has none."""

    @classmethod
    def of(cls, location: Location, options: Mapping[str, Any]) -> ZarrOptions:
        """Return the options that were given for a location.

        Raises
        ------
        TypeError
            If the store at the location does not have one of them.
        """
        of_store = dict(options)
        zarr_format = of_store.pop("zarr_format", None)
        if zarr_format not in (None, 2, 3):
            raise TypeError(f"`zarr_format=` is 2 or 3, not {zarr_format!r}")
        decode = bool(of_store.pop("decode", True))
        if location.scheme:
            fresh_for = _seconds(location, "fresh_for", of_store)
            stale_if_error = _seconds(location, "stale_if_error", of_store)
            refuse_unknown(of_store)
            return cls(zarr_format, decode, fresh_for, stale_if_error, of_store)
        for name in of_store:
            problem = f"the zarr backend has no option {name!r} for local stores"
            raise BackendOptionError(problem, name)
        return cls(zarr_format, decode, None, None, of_store)


def open_source(
    text: str,
    variable: str,
    options: tuple[tuple[str, Any], ...],
    document: zarr_metadata.ArrayDocument | None = None,
) -> Source:
    """Open an array; the source pickles by these arguments, without the document."""
    location = Location(text)
    path = zarr_metadata.array_path(location.public, variable)
    parsed = ZarrOptions.of(location, dict(options))
    # Another process may have another working folder.
    place = location.text if location.scheme else str(location.path)
    reopen = (open_source, (place, variable, options))
    store = store_at(location, parsed)
    name = store_name(location)
    arguments = (store, name, path, parsed.zarr_format, reopen, parsed.decode, None, document)
    with opening_named(name):
        if not location.scheme:
            return ZarrSource(*arguments)
        store.variant = variant_of(location, parsed.of_store)
        return RemoteZarrSource(parsed.fresh_for, parsed.stale_if_error, *arguments)


def _seconds(location: Location, name: str, options: dict[str, Any]) -> float | None:
    value = options.pop(name, None)
    return None if value is None else OptionChecker(location.public).seconds(name, value)


def store_name(location: Location) -> str:
    """Return the name of a store, without credentials and trailing slashes."""
    if not location.scheme:
        return location.public
    path, mark, query = location.public.partition("?")
    return path.rstrip("/") + mark + query


def store_at(location: Location, options: ZarrOptions) -> ZarrStore:
    """Return the store at `location`.

    Raises
    ------
    GoneError
        If it does not exist.
    OpenError
        If it is neither a folder nor a zip file.
    """
    if location.scheme:
        return remote_store(location, **options.of_store)
    if location.is_directory:
        return FolderStore(location.path)
    if not location.head and not location.path.exists():
        raise GoneError(location.public, "there is no such store")
    if not location.head.startswith(b"PK"):
        raise OpenError(location.public, "it is not a Zarr store: neither a folder nor a zip file")
    return ZipStore(location.path)
