"""Files and stores that are written block by block: `.npy`, NetCDF, Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus import engine
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import Gate, Guarded
from biggus.sinks.described import Described
from biggus.sinks.metadata import distinct_dims, safe_name
from biggus.sinks.missing import Plain
from biggus.sinks.netcdf import NetCDFStore
from biggus.sinks.new import NewArray, chunks_for
from biggus.sinks.npy import NpyStore
from biggus.sinks.saving import create, opened
from biggus.sinks.zarr import ZarrStore

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked
    from biggus.sinks.new import NewStore
    from biggus.source import Values


def write_netcdf(path: Path, picked: Picked) -> None:
    """Write a NetCDF-4 file of one variable.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If netCDF4-python is not installed.
    """
    _write(NetCDFStore(path), picked)


def write_zarr(path: Path, picked: Picked) -> None:
    """Write a store of one array, in a folder.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If zarr-python is not installed.
    """
    _write(ZarrStore(path), picked)


def write_npy(path: Path, picked: Picked) -> None:
    """Write a ``.npy`` file.

    Missing values need a fill: the format has no place for a mask.  Strings of
    any length become strings of the longest one's.

    Raises
    ------
    OutputError
        If a value is missing and there is no fill, or values are Python objects.
    """
    if picked.dtype.kind not in "OT":
        _write(NpyStore(path), picked)
        return
    values = picked.all()
    if not all(isinstance(value, str) for value in values.flat):
        raise OutputError("a .npy file has no place for Python objects that are not strings")
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array(values, dtype=np.str_), allow_pickle=False)


def _write(store: NewStore, picked: Picked) -> None:
    gate = Gate()
    with opened(store, picked.label), picked.reporting():
        writer = create(store, _new_array(picked, store))
        try:
            engine.store([picked.array.node], [Guarded(writer, picked.label, gate)])
        finally:
            gate.shut()


def _new_array(picked: Picked, store: NewStore) -> NewArray:
    about = Described(picked.attributes, picked.decoded, picked.default_fills)
    attributes, marker = store.metadata(about, picked.dtype)
    plain: Any = Plain()
    if isinstance(store, NpyStore):
        plain = _Filled(None if picked.fill is None else picked.fill_scalar())
    elif picked.array.masked:
        marker = None if picked.dtype.kind in "UOT" else picked.marker()
        plain = Plain(marker, remedy="say what else stands for missing values with --fill")
    return NewArray(
        label=picked.label,
        name=safe_name(picked.name),
        shape=picked.shape,
        dtype=picked.dtype,
        chunks=chunks_for(picked.array.node),
        dims=distinct_dims(picked.dims, picked.shape),
        attributes=attributes,
        marker=marker,
        plain=plain,
    )


class _Filled:
    """Makes plain arrays of blocks, for a file that cannot tell what a fill is."""

    def __init__(self, fill: Any) -> None:
        self._fill = fill

    def __call__(self, values: Values) -> npt.NDArray[Any]:
        if not isinstance(values, np.ma.MaskedArray):
            return values
        if self._fill is not None:
            return np.asarray(values.filled(self._fill))
        if np.ma.is_masked(values):
            raise MaskedValueError(
                "values are missing and a .npy file has no place for a mask; "
                "say what stands for them with --fill, or write .nc or .zarr"
            )
        return values.data
