"""The backend of Zarr stores, formats 2 and 3: folders, zip files, web servers."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from biggus.backends.base import Backend, Resolution
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.adopted import adopt_array
from biggus.backends.zarr.arrays import opening_of
from biggus.backends.zarr.encoding import ZarrEncoding
from biggus.backends.zarr.multiscale import resolutions
from biggus.backends.zarr.opening import ZarrOptions, open_source, store_at, store_name
from biggus.backends.zarr.remote import STORE_OPTIONS, variant_of
from biggus.backends.zarr.store import METADATA_NAMES
from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.backends.location import Location
    from biggus.sources.base import Source
    from biggus.sources.encoding import Encoding

_SCHEMES = ("http", "https", "s3", "gs", "memory")
_TILE_PLACEHOLDERS = ("{z}", "{x}", "{y}", "{-y}", "{q}")


class ZarrBackend(Backend):
    """Opens the arrays of Zarr stores.

    Variables are named by their path, such as ``"ocean/tos"``.  A root that is itself an array is
    named ``"/"`` or ``""``.
    """

    name: ClassVar[str] = "zarr"
    modules: ClassVar[tuple[str, ...]] = ("zarr",)

    def claims(self, location: Location) -> int:
        if location.scheme:
            return self._claims_url(location)
        try:
            if location.is_directory:
                names = (location.path / name for name in METADATA_NAMES)
                is_store = any(os.path.lexists(name) for name in names)
                return self.BY_CONTENT if is_store else self.UNCLAIMED
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
        # Only in a memory: URL the part after the slashes is not a host or bucket.
        text = parts.netloc + parts.path if location.scheme == "memory" else parts.path
        named = any(segment.endswith(".zarr") for segment in text.lower().split("/"))
        return self.BY_SUFFIX if named else self.UNCLAIMED

    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        parsed = ZarrOptions.of(location, options)
        store = store_at(location, parsed)
        with opening_of(location.public):
            return zarr_metadata.list_arrays(store, location.public, parsed.zarr_format)

    def resolutions(self, location: Location, group: str, **options: Any) -> tuple[Resolution, ...]:
        return resolutions(self.attributes(location, group, **options))

    def attributes(self, location: Location, group: str, **options: Any) -> Mapping[str, Any]:
        path = zarr_metadata.array_path(location.public, group)
        parsed = ZarrOptions.of(location, options)
        store = store_at(location, parsed)
        with opening_of(location.public):
            return zarr_metadata.read_group(store, path, parsed.zarr_format) or {}

    def open(self, location: Location, variable: str, **options: Any) -> Source:
        """Return the source of one array.

        Parameters
        ----------
        location : Location
            A folder, a zip file, or a URL.
        variable : str
            The path of the array; ``"/"`` or ``""`` for the root.
        zarr_format : int, optional
            2 or 3, if a store has both.
        fresh_for : float, optional
            For URLs, the seconds for which a copy is valid without asking the server; by
            default those that the server says (``Cache-Control``, ``Expires``), or an hour.
        stale_if_error : float, optional
            For URLs, the seconds for which an expired copy is used if the server cannot be
            reached or fails; by default for ever.
        decode : bool, optional
            Whether to decode values if the array follows the CF conventions, which the source
            then declares by its ``conventions``.
        **options
            For URLs, the options of `biggus.backends.zarr.remote.remote_store`.
        """
        return open_source(location.text, variable, tuple(sorted(options.items())))

    def option_names(self) -> tuple[str, ...]:
        return ("zarr_format", "fresh_for", "stale_if_error", "decode", *STORE_OPTIONS)

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the identity of the values, which does not depend on how a server is asked."""
        parsed = ZarrOptions.of(location, options)
        variant = ""
        if location.scheme:
            variant = variant_of(location, parsed.of_store)
        path = None if variable is None else zarr_metadata.array_path(location.public, variable)
        return [store_name(location), path, parsed.zarr_format, variant]

    def encoding(self, fields: Mapping[str, Any]) -> Encoding:
        return ZarrEncoding(**fields)

    def adopt(self, obj: Any) -> Source | None:
        return adopt_array(obj)


def _is_zipped_store(location: Location) -> bool:
    try:
        with zipfile.ZipFile(location.path) as archive:
            return any(name.rpartition("/")[2] in METADATA_NAMES for name in archive.namelist())
    except zipfile.BadZipFile:
        # A truncated file has no directory, but perhaps its first member.
        return any(name.encode() in location.head for name in METADATA_NAMES)
