"""DataArrays of xarray as arrays to draw, with their names, attributes and coordinates."""

from __future__ import annotations

from typing import Any

from biggus.adapt import Lazy, node_of
from biggus.array import Array
from biggus.graph import Elementwise
from biggus.labels import Coordinate, Labels
from biggus.labels.described import Described


def array_to_draw(shown: Any) -> Array:
    """Return the lazy array of what is drawn; that of a DataArray of xarray has its labels."""
    if type(shown).__name__ != "DataArray" or not hasattr(shown, "coords"):
        return Array.from_node(node_of(shown))
    dims = shown.dims
    coordinates = []
    for name, each in shown.coords.items():
        if each.dtype.kind in "biufM":
            axes = tuple([dims.index(dim) for dim in each.dims])
            order = sorted(range(len(axes)), key=axes.__getitem__)
            node = node_of(_data_of(each.transpose(*[each.dims[n] for n in order])))
            coordinates.append(Coordinate(str(name), each.attrs, node, tuple(sorted(axes))))
    labels = Labels(
        tuple(map(str, dims)),
        "" if shown.name is None else str(shown.name),
        attributes=shown.attrs,
        coordinates=tuple(coordinates),
        decoded=True,
    )
    node = node_of(_data_of(shown))
    return Array.from_node(Elementwise(Described(node.dtype, labels), node))


def _data_of(shown: Any) -> Any:
    """Return the lazy array in a DataArray; of another one the values, which are read."""
    data = shown.variable._data  # noqa: SLF001 - `data` would read what is lazy for xarray alone
    return data if isinstance(data, Lazy) else shown.values
