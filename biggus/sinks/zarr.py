"""Zarr: arrays that are assigned to, and new stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import OutputError
from biggus.extras import needing
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import plain_value
from biggus.sinks.missing import Plain
from biggus.sinks.new import NewArray, NewStore, strings

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.engine import Writer
    from biggus.nodes import Node
    from biggus.source import Values


class ZarrStore(NewStore):
    """A new store in a folder, of one array or of a group of them.

    It is of format 2: the one that nearly everything reads, and in which the
    fill value means missing values.
    """

    named = None
    marks = "iufcMm"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._group: Any = None

    def create(self, new: NewArray) -> Writer:
        """Make an array: with a name, in a group; without, as the store itself."""
        with needing("zarr", "zarr", "writing a Zarr store"):
            import zarr
        if new.dtype.kind == "V":
            raise OutputError(f"values of dtype {new.dtype} are not written to Zarr; write .npy")
        textual = new.dtype.kind in "OT"
        how: dict[str, Any] = {
            "shape": new.shape,
            "dtype": str if textual else new.dtype,
            "chunks": new.chunks,
            # False: nothing is missing, which is what none says here.
            "fill_value": None if new.marker is False else new.marker,
            "attributes": {**new.attributes, "_ARRAY_DIMENSIONS": list(new.dims)},
        }
        if not new.name:
            array = zarr.create_array(store=self.path, zarr_format=2, **how)
        else:
            if self._group is None:
                self._group = zarr.create_group(store=self.path, zarr_format=2)
            folder, _, name = new.name.rpartition("/")
            group = self._group.require_group(folder) if folder else self._group
            array = group.create_array(name, **how)

        def convert(values: Values) -> Any:
            plain = new.plain(values)
            return strings(plain) if textual else plain

        return Assigning(array, new.label, new.shape, new.chunks, convert, concurrent=True)

    def close(self) -> None:
        """Put the metadata of all arrays in one place, for who reads it over a network."""
        if self._group is not None:
            import zarr

            zarr.consolidate_metadata(self._group.store)
            self._group = None


def assigning_to_array(array: Any, name: str, node: Node) -> Assigning:
    """Return what assigns to a ``zarr.Array`` of the user's."""
    plain = Plain(_marker(array), into=array.dtype) if node.masked else Plain()
    textual = array.dtype.kind in "OT"

    def convert(values: Values) -> Any:
        filled = plain(values)
        return strings(filled) if textual else filled

    grid = tuple([max(1, int(n)) for n in array.shards or array.chunks])
    return Assigning(array, name, tuple(array.shape), grid, convert, concurrent=True)


def _marker(array: Any) -> Any:
    """Return what stands for missing values; None if the array does not say so.

    Zarr gives arrays whose maker said nothing a fill value too: zero.
    """
    named = plain_value(array.attrs.get("_FillValue"))
    fill = array.fill_value if named is None else named
    if fill is None or array.dtype.kind not in "iufcMm":
        return None
    try:
        marker = np.asarray(fill).astype(array.dtype)[()]
    except (TypeError, ValueError):
        return None
    if named is None and array.dtype.kind in "iufc" and marker == 0:
        return None
    return marker
