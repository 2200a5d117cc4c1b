"""Zarr stores, formats 2 and 3, through zarr-python: folders, zip files, web servers."""

from __future__ import annotations

import contextlib
import os
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from biggus.backends.base import Backend
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.multiscale import resolutions
from biggus.backends.zarr.opening import (
    format_option,
    open_source,
    refuse_local,
    store_at,
    store_name,
)
from biggus.backends.zarr.store import METADATA_NAMES
from biggus.errors import BiggusError, GoneError, OpenError
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from biggus.backends.base import Resolution
    from biggus.backends.location import Location
    from biggus.backends.zarr.store import ZarrStore
    from biggus.sources.base import Source
    from biggus.sources.encoding import Encoding

_SCHEMES = ("http", "https", "s3", "gs", "memory")
_AGES = ("fresh_for", "stale_if_error")
_TILE_PLACEHOLDERS = ("{z}", "{x}", "{y}", "{-y}", "{q}")


class ZarrBackend(Backend):
    """Opens the arrays of Zarr stores.

    Variables are named by their path, such as ``"ocean/tos"``; where the
    root of the store is itself an array, that is called ``"/"``, and ``""``
    opens it too.
    """

    name: ClassVar[str] = "zarr"
    modules: ClassVar[tuple[str, ...]] = ("zarr",)

    def claims(self, location: Location) -> int:
        if location.scheme:
            return self._claims_url(location)
        try:
            if location.is_directory:
                names = (location.path / name for name in METADATA_NAMES)
                found = any(os.path.lexists(name) for name in names)
                return self.BY_CONTENT if found else self.UNCLAIMED
            if location.head.startswith(b"PK") and _is_zipped_store(location):
                return self.BY_CONTENT
        except (BiggusError, OSError):
            pass
        return self.UNCLAIMED

    def _claims_url(self, location: Location) -> int:
        if location.scheme == "reference":
            return self.BY_SUFFIX  # nothing but its options tells where the references are
        if location.scheme not in _SCHEMES:
            return self.UNCLAIMED
        if any(placeholder in location.text for placeholder in _TILE_PLACEHOLDERS):
            return self.UNCLAIMED
        parts = urlsplit(location.text)
        # Only in a URL of memory is what follows the slashes no host or bucket.
        text = parts.netloc + parts.path if location.scheme == "memory" else parts.path
        named = any(segment.endswith(".zarr") for segment in text.lower().split("/"))
        return self.BY_SUFFIX if named else self.UNCLAIMED

    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        zarr_format, store = _store(location, options)
        with _told(location):
            return zarr_metadata.list_arrays(store, location.public, zarr_format)

    def resolutions(self, location: Location, group: str, **options: Any) -> tuple[Resolution, ...]:
        path = zarr_metadata.array_path(location.public, group)
        zarr_format, store = _store(location, options)
        with _told(location):
            return resolutions(zarr_metadata.read_group(store, path, zarr_format) or {})

    def attributes(self, location: Location, group: str, **options: Any) -> Mapping[str, Any]:
        path = zarr_metadata.array_path(location.public, group)
        zarr_format, store = _store(location, options)
        with _told(location):
            return zarr_metadata.read_group(store, path, zarr_format) or {}

    def open(self, location: Location, variable: str, **options: Any) -> Source:
        """Return the source of one array.

        Parameters
        ----------
        location : Location
            A folder, a zip file, or a URL.
        variable : str
            The path of the array; ``"/"`` or ``""`` for the root.
        zarr_format : int, optional
            2 or 3, where a store holds both.
        fresh_for : float, optional
            For URLs: the seconds for which a copy is good without asking the server; by
            default as long as that says (``Cache-Control``, ``Expires``), or an hour.
        stale_if_error : float, optional
            For URLs: the seconds for which a copy that is older stands in for a server that
            is out of reach or in trouble; by default for ever.
        decode : bool, optional
            Whether the values are to be decoded if the array follows the CF conventions,
            as the source then says in its ``conventions``.
        **options
            For URLs: what `biggus.backends.zarr.remote.remote_store` takes.
        """
        return open_source(location.text, variable, tuple(sorted(options.items())))

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return what decides on the values: not how, or how often, a server is asked."""
        given = dict(options)
        zarr_format = format_option(given)
        given.pop("decode", None)
        variant = ""
        if location.scheme:
            with between_forks():
                from biggus.backends.zarr.remote import variant_of

            for name in _AGES:
                given.pop(name, None)
            variant = variant_of(location, given)
        else:
            refuse_local(given)
        path = None if variable is None else zarr_metadata.array_path(location.public, variable)
        return [store_name(location), path, zarr_format, variant]

    def encoding(self, told: Mapping[str, Any]) -> Encoding:
        with between_forks():
            from biggus.backends.zarr.encoding import ZarrEncoding

        return ZarrEncoding(**told)

    def adopt(self, obj: Any) -> Source | None:
        with between_forks():
            from biggus.backends.zarr.adopted import adopt_array

        return adopt_array(obj)


def _store(location: Location, options: dict[str, Any]) -> tuple[int | None, ZarrStore]:
    """Return the format that is asked for, and the objects of a store."""
    zarr_format = format_option(options)
    options.pop("decode", None)
    if location.scheme:
        for name in _AGES:
            options.pop(name, None)
    return zarr_format, store_at(location, options)


@contextlib.contextmanager
def _told(location: Location) -> Iterator[None]:
    """Say what was looked for if the documents of a store cannot be read."""
    try:
        yield
    except BiggusError:
        raise
    except FileNotFoundError:
        raise GoneError(location.public, "there is no such store") from None
    except ConnectionError as error:
        raise GoneError(location.public, str(error)) from None
    except Exception as error:
        raise OpenError(location.public, f"its metadata cannot be read: {error}") from error


def _is_zipped_store(location: Location) -> bool:
    try:
        with zipfile.ZipFile(location.path) as archive:
            return any(name.rpartition("/")[2] in METADATA_NAMES for name in archive.namelist())
    except zipfile.BadZipFile:
        # Cut short, it has no directory; its first member may still tell.
        return any(name.encode() in location.head for name in METADATA_NAMES)
