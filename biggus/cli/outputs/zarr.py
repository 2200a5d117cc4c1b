"""Zarr stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.cli.atomic import OutputError
from biggus.cli.outputs.metadata import (
    carried_attributes,
    default_fill,
    distinct_dims,
    packed_fill,
    safe_name,
)
from biggus.errors import MissingDependencyError
from biggus.grid import default_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked


def write_zarr(path: Path, picked: Picked) -> str | None:
    """Write a store of one array, in a folder.

    It is of format 2: the one that nearly everything reads, and in which the
    fill value means missing values.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If zarr-python is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise MissingDependencyError("zarr", "zarr", "writing a Zarr store") from None
    if picked.dtype.kind in "OTV":
        raise OutputError(f"values of dtype {picked.dtype} are not written to Zarr; write .npy")
    shape = picked.shape
    chunks = tuple(max(1, n) for n in default_chunks(shape, picked.dtype.itemsize))
    fill = picked.marker() if picked.array.masked else None
    marker = fill
    if fill is None and not picked.decoded:
        # Packed values: what stands for missing ones is among them already.
        marker = packed_fill(picked.attributes, picked.dtype)
        if marker is None and picked.default_fills:
            marker = default_fill(picked.attributes, picked.dtype)
    attributes: dict[str, Any] = carried_attributes(picked.attributes, picked.decoded)
    attributes["_ARRAY_DIMENSIONS"] = list(distinct_dims(picked.dims, shape))
    group = zarr.create_group(store=path, zarr_format=2)
    array = group.create_array(
        safe_name(picked.name),
        shape=shape,
        dtype=picked.dtype,
        chunks=chunks,
        fill_value=marker,
        attributes=attributes,
    )
    for box, values in picked.blocks(chunks):
        array[box] = values if fill is None else picked.filled(values, fill)
    zarr.consolidate_metadata(group.store)
    return None
