"""The metadata documents of Zarr stores, formats 2 and 3, read without a Zarr library."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from biggus.backends.zarr.store import ForbiddenError, ZarrStore
from biggus.errors import GoneError, OpenError, VariableError

_DEEPEST = 64

ROOT = "/"
"""The name of the root of a store that is itself an array."""


class ArrayDocument(NamedTuple):
    """The metadata of one array."""

    zarr_format: int
    """2 or 3."""

    keys: tuple[str, ...]
    """The keys of its documents; the first must exist."""

    fields: dict[str, Any]
    """The fields of the document, with the attributes."""

    @property
    def structure(self) -> str:
        """A digest of all fields that decide how chunks are read.

        These are all but the attributes, and the shape, which may grow.
        """
        fields = {
            name: value
            for name, value in self.fields.items()
            if name not in ("attributes", "consolidated_metadata", "shape")
        }
        text = json.dumps(fields, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def continues(self, earlier: ArrayDocument) -> bool:
        """Tell whether an array is still the earlier one, which may have grown."""
        now, then = self.fields.get("shape"), earlier.fields.get("shape")
        if not isinstance(now, list) or not isinstance(then, list) or len(now) != len(then):
            return False
        return not any(map(operator.lt, now, then)) and self.structure == earlier.structure

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The user's attributes."""
        attributes = dict(self.fields.get("attributes") or {})
        if self.zarr_format == 2:
            attributes.pop("_ARRAY_DIMENSIONS", None)
        return attributes

    @property
    def dims(self) -> tuple[str | None, ...] | None:
        """The names of the axes, None for one without a name; None if no axis has one."""
        if self.zarr_format == 3:
            names = self.fields.get("dimension_names")
        else:
            names = (self.fields.get("attributes") or {}).get("_ARRAY_DIMENSIONS")
        shape = self.fields.get("shape", ())
        if not isinstance(names, (list, tuple)) or len(names) != len(shape):
            return None
        known = tuple([name if isinstance(name, str) and name else None for name in names])
        return known if any(known) or not shape else None


def array_path(location: str, variable: str) -> str:
    """Return the path inside the store of a variable; ``""`` for the root.

    Raises
    ------
    VariableError
        If it is not a path inside the store.
    """
    path = variable.strip("/")
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts) or "\\" in path or "\0" in path:
        raise VariableError(location, f"{variable!r} is not a path of an array")
    return path


def read_array(store: ZarrStore, path: str, zarr_format: int | None) -> ArrayDocument | None:
    """Read the document of the array at `path`; return None if there is none.

    Raises
    ------
    OSError
        If a document cannot be read.
    ValueError
        If a document is invalid.
    """
    prefix = f"{path}/" if path else ""
    name, fields = _first_document(store, prefix, zarr_format, ".zarray")
    if name == "zarr.json":
        is_array = fields.get("node_type") == "array"
        return ArrayDocument(3, (prefix + name,), fields) if is_array else None
    if not name:
        return None
    fields = {**fields, "attributes": _read_json(store, prefix + ".zattrs") or {}}
    if not fields.get("filters"):
        # The specification does not allow an empty list, but stores have it.
        fields["filters"] = None
    return ArrayDocument(2, (prefix + ".zarray", prefix + ".zattrs"), fields)


def read_group(store: ZarrStore, path: str, zarr_format: int | None) -> Mapping[str, Any] | None:
    """Return the attributes of the group at `path`, or None if there is no group.

    Raises
    ------
    OSError
        If a document cannot be read.
    ValueError
        If a document is invalid.
    """
    prefix = f"{path}/" if path else ""
    name, fields = _first_document(store, prefix, zarr_format, ".zgroup")
    if name == "zarr.json":
        return fields.get("attributes") or {} if fields.get("node_type") == "group" else None
    return _read_json(store, prefix + ".zattrs") or {} if name else None


def list_arrays(store: ZarrStore, location: str, zarr_format: int | None) -> tuple[str, ...]:
    """Return the sorted paths of the arrays in a store; ``"/"`` is the root.

    Raises
    ------
    GoneError
        If the location does not exist.
    OpenError
        If it is not a store, or cannot be listed.
    """
    keys = store.metadata_keys()
    if keys is None:
        return _list_unlistable(store, location, zarr_format)
    paths = set()
    anything = False
    for key in keys:
        anything = True
        path, _, name = key.rpartition("/")
        if name == ".zarray" and zarr_format in (None, 2):
            paths.add(path)
        elif name == "zarr.json" and zarr_format in (None, 3):
            fields = _read_json(store, key)
            if fields is not None and fields.get("node_type") == "array":
                paths.add(path)
    if not anything:
        raise OpenError(location, "it is not a Zarr store: it has no Zarr metadata")
    return tuple(path or ROOT for path in sorted(paths))


def _list_unlistable(store: ZarrStore, location: str, zarr_format: int | None) -> tuple[str, ...]:
    """List the arrays of a store that cannot list its keys, by its consolidated metadata."""
    name, fields = _first_document(store, "", zarr_format, ".zmetadata", ".zarray", ".zgroup")
    if not name:
        raise GoneError(location, "there is no Zarr metadata there (zarr.json, .zarray, .zgroup)")
    if name == ".zarray" or fields.get("node_type") == "array":
        return (ROOT,)
    if name == ".zmetadata":
        consolidated = fields.get("metadata") or {}
        arrays = [k.rpartition("/")[0] for k in consolidated if k.rpartition("/")[2] == ".zarray"]
    else:
        consolidated = (fields.get("consolidated_metadata") or {}).get("metadata") or {}
        arrays = [k for k, v in consolidated.items() if v.get("node_type") == "array"]
    return _listed(arrays) if consolidated else _walked(store, location, zarr_format)


def _listed(arrays: Iterable[str]) -> tuple[str, ...]:
    return tuple(path or ROOT for path in sorted(arrays))


def _walked(store: ZarrStore, location: str, zarr_format: int | None) -> tuple[str, ...]:
    """List by what lies in each group, of a store that tells this; chunks are not listed."""
    arrays, groups = [], [""]
    for group in groups:
        inner = store.folders(group)
        if inner is None:
            raise OpenError(
                location,
                "the store cannot be listed, as it has no consolidated metadata: name the variable",
            )
        for path in inner:
            kind = _kind_of(store, path, zarr_format)
            if kind == "array":
                arrays.append(path)
            elif kind == "group" and path.count("/") < _DEEPEST:
                groups.append(path)
    return _listed(arrays)


def _kind_of(store: ZarrStore, path: str, zarr_format: int | None) -> Any:
    """Return ``"array"`` or ``"group"``; None if neither is there, or the server forbids both."""
    try:
        name, fields = _first_document(store, f"{path}/", zarr_format, ".zarray", ".zgroup")
    except ForbiddenError:
        return None  # the others are listed
    return {".zarray": "array", ".zgroup": "group"}.get(name, fields.get("node_type"))


def _first_document(
    store: ZarrStore, prefix: str, zarr_format: int | None, *names: str
) -> tuple[str, dict[str, Any]]:
    """Return the name and fields of the first document that exists; an empty name if none does.

    The documents are zarr.json, and then `names`, those of format 2.
    """
    forbidden = None
    if zarr_format != 2:
        try:
            fields = _read_json(store, prefix + "zarr.json")
        except ForbiddenError as error:
            # Some servers respond so if it does not exist; then there may be one of format 2.
            forbidden = error
        else:
            if fields is not None:
                return "zarr.json", fields
    for name in names if zarr_format != 3 else ():
        fields = _read_json(store, prefix + name)
        if fields is not None:
            return name, fields
    if forbidden is not None:
        raise forbidden
    return "", {}


def _read_json(store: ZarrStore, key: str) -> dict[str, Any] | None:
    document = store.get(key)
    if document is None:
        return None
    try:
        fields = json.loads(document.data)
    except ValueError as error:
        raise ValueError(f"the metadata document {key} is not valid JSON: {error}") from None
    except RecursionError:
        raise _too_deep(key) from None
    if not isinstance(fields, dict):
        raise ValueError(f"the metadata document {key} is not a JSON object")  # noqa: TRY004
    # Consolidated documents are checked when they are used.
    own = {name: value for name, value in fields.items() if name != "consolidated_metadata"}
    if not key.endswith(".zmetadata") and not _is_shallow(own):
        raise _too_deep(key)
    return fields


def _is_shallow(value: Any) -> bool:
    """Return whether a JSON value is nested no deeper than `_DEEPEST`."""
    level = [value]
    for _ in range(_DEEPEST):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for parts in inner for one in parts if isinstance(one, (dict, list))]
        if not level:
            return True
    return False


def _too_deep(key: str) -> ValueError:
    return ValueError(f"the metadata document {key} is nested too deeply")
