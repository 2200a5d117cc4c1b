"""NetCDF files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.backends.native import hdf5_lock
from biggus.cli.atomic import OutputError
from biggus.cli.outputs.metadata import (
    carried_attributes,
    distinct_dims,
    packed_fill,
    packing_attributes,
    safe_name,
)
from biggus.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked


def write_netcdf(path: Path, picked: Picked) -> str | None:
    """Write a NetCDF-4 file of one variable.

    The format has no booleans and no half floats: they become bytes (with an
    attribute ``dtype`` that says so) and single ones.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If netCDF4-python is not installed.
    """
    try:
        import netCDF4
    except ImportError:
        raise MissingDependencyError("netCDF4", "netcdf", "writing a NetCDF file") from None
    stored = _stored_dtype(picked.dtype)
    try:
        _write(netCDF4, path, picked, stored)
    except RuntimeError as error:
        # What the library says when the disk is full, and the like.
        raise OSError(str(error)) from error
    return None


def _write(netcdf: Any, path: Path, picked: Picked, stored: Any) -> None:
    name = safe_name(picked.name)
    dims = distinct_dims(picked.dims, picked.shape)
    attributes = carried_attributes(picked.attributes, picked.decoded)
    if picked.dtype.kind == "b":
        attributes["dtype"] = "bool"
    if not picked.decoded:
        attributes.update(packing_attributes(picked.attributes))
    unfilled = attributes.pop("_NoFill", None) == "true" and picked.dtype.itemsize == 1
    fill = picked.marker() if picked.array.masked and stored is not str else None
    marker: Any = None if fill is None else fill.astype(stored)
    if fill is None and not picked.decoded:
        # Packed values: what stands for missing ones is among them already.
        marker = packed_fill(picked.attributes, picked.dtype)
        if marker is None and unfilled and picked.dtype.kind in "iu":
            marker = False  # or the library takes one of the values for its own fill value
    # One lock for all of the library: the values may come through it too.
    with hdf5_lock:
        dataset = netcdf.Dataset(path, "w", format="NETCDF4")
    try:
        with hdf5_lock:
            for dim, n in dict(zip(dims, picked.shape, strict=True)).items():
                dataset.createDimension(dim, n)
            variable = dataset.createVariable(name, stored, dims, fill_value=marker)
            variable.set_auto_maskandscale(False)
            variable.setncatts(attributes)
        for box, values in picked.blocks():
            plain = values if fill is None else picked.filled(values, fill)
            with hdf5_lock:
                variable[box or ...] = _as_stored(np.asarray(plain), stored)
    finally:
        with hdf5_lock:
            dataset.close()


def _stored_dtype(dtype: np.dtype[Any]) -> Any:
    """Return the dtype in the file: `str`, or a numeric one of this machine's byte order."""
    if dtype.kind in "UOT":
        return str
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
        return dtype.newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype("i1")
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype("f4")
    raise OutputError(f"NetCDF has no place for values of dtype {dtype}; write .npy or .zarr")


def _as_stored(values: npt.NDArray[Any], stored: Any) -> npt.NDArray[Any]:
    if stored is not str:
        return values.astype(stored, copy=False)
    if not all(isinstance(value, str) for value in values.flat):
        raise OutputError("NetCDF has no place for Python objects that are not strings")
    return values.astype(object)
