"""Opening a store, and the source of one array, from a location and options."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from biggus.backends.location import Location
from biggus.backends.pieces import opening_named
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.source import ZarrSource
from biggus.backends.zarr.store import FolderStore, ZarrStore, ZipStore
from biggus.errors import BackendOptionError, GoneError, OpenError
from biggus.sources.base import Source
from biggus.support.forks import between_forks


def open_source(text: str, variable: str, options: tuple[tuple[str, Any], ...]) -> Source:
    """Open an array; the source pickles by these arguments."""
    location = Location(text)
    options_left = dict(options)
    path = zarr_metadata.array_path(location.public, variable)
    zarr_format = format_option(options_left)
    decode = bool(options_left.pop("decode", True))
    # Another process may have another working folder.
    place = location.text if location.scheme else str(location.path)
    reopen = (open_source, (place, variable, options))
    if location.scheme:
        with between_forks():
            from biggus.backends.zarr.remote import RemoteZarrSource, variant_of

        fresh_for = _seconds(options_left.pop("fresh_for", None))
        stale_if_error = _seconds(options_left.pop("stale_if_error", None))
        store = store_at(location, options_left)
        store.variant = variant_of(location, options_left)
        name = store_name(location)
        with opening_named(name):
            return RemoteZarrSource(
                fresh_for, stale_if_error, store, name, path, zarr_format, reopen, decode
            )
    store = store_at(location, options_left)
    with opening_named(location.public):
        return ZarrSource(store, location.public, path, zarr_format, reopen, decode)


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return None if value is None else float(value)


def store_name(location: Location) -> str:
    """Return the name of a store, without credentials and trailing slashes."""
    if not location.scheme:
        return location.public
    path, mark, query = location.public.partition("?")
    return path.rstrip("/") + mark + query


def format_option(options: dict[str, Any]) -> int | None:
    """Remove the option ``zarr_format`` from `options`, and return it."""
    zarr_format: int | None = options.pop("zarr_format", None)
    if zarr_format not in (None, 2, 3):
        raise TypeError(f"zarr_format is 2 or 3, not {zarr_format!r}")
    return zarr_format


def refuse_local(options: dict[str, Any]) -> None:
    """Raise an error for options that are left over for a local store."""
    for name in options:
        raise BackendOptionError(f"the zarr backend has no option {name!r} for local stores", name)


def store_at(location: Location, options: dict[str, Any]) -> ZarrStore:
    """Return the store at `location`.

    Raises
    ------
    GoneError
        If it does not exist.
    OpenError
        If it is neither a folder nor a zip file.
    TypeError
        If there is no such option.
    """
    if location.scheme:
        with between_forks():
            from biggus.backends.zarr.remote import refuse_unknown, remote_store

        refuse_unknown(options)
        return remote_store(location, **options)
    refuse_local(options)
    if location.is_directory:
        return FolderStore(location.path)
    if not location.head and not location.path.exists():
        raise GoneError(location.public, "there is no such store")
    if not location.head.startswith(b"PK"):
        raise OpenError(location.public, "it is not a Zarr store: neither a folder nor a zip file")
    return ZipStore(location.path)
