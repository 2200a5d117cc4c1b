"""Writing selections to `.npy`, NetCDF and Zarr, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biggus import engine
from biggus.errors import OutputError
from biggus.sinks.blocks import Guarded, WriteGate
from biggus.sinks.companions import companions_of
from biggus.sinks.locations import Place
from biggus.sinks.metadata import safe_name
from biggus.sinks.netcdf import NetCDFStore
from biggus.sinks.npy import NpyStore
from biggus.sinks.saving import create, new_array, opened, settle
from biggus.sinks.stored import packed_in
from biggus.sinks.zarr import NewZarrStore

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked
    from biggus.graph import Node
    from biggus.labels import Labels
    from biggus.sinks.new import NewArray, NewStore


def write_netcdf(path: Path, picked: Picked) -> None:
    """Write a NetCDF-4 file with one variable.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If netCDF4-python is not installed.
    """
    _write(NetCDFStore(path), picked)


def write_zarr(path: Path, picked: Picked) -> None:
    """Write a Zarr store with one array.

    Raises
    ------
    OutputError
        If values have a dtype that the format does not hold.
    MissingDependencyError
        If zarr-python is not installed.
    """
    _write(NewZarrStore(path), picked)


def write_npy(path: Path, picked: Picked) -> None:
    """Write a ``.npy`` file.

    Missing values need a fill value, for the format has no masks.  Strings of
    variable length become strings of the greatest length.

    Raises
    ------
    OutputError
        If a value is missing and there is no fill value, or values are Python objects.
    """
    if picked.dtype.kind not in "OT":
        _write(NpyStore(path), picked)
        return
    values = picked.all()
    if not all(isinstance(value, str) for value in values.flat):
        raise OutputError("a .npy file cannot store Python objects other than strings")
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array(values, dtype=np.str_), allow_pickle=False)


def _write(store: NewStore, picked: Picked) -> None:
    name = "" if store.named is False else safe_name(picked.name)
    place = Place(store.path, name)
    node = picked.array.node
    if picked.fill is None:
        node = packed_in(store, node) or node
    about, beside = companions_of([node], {0: place}, {store.path: store})
    several = [_new_array(picked, node, place, store, about[0])]
    several += [new_array(each.node, each.place, store, each.labels) for each in beside]
    nodes = [node, *[each.node for each in beside]]
    gate = WriteGate()
    with opened(store, picked.label), picked.reporting():
        writers = [create(store, new) for new in several]
        try:
            guarded = [
                Guarded(writer, new.label, gate)
                for writer, new in zip(writers, several, strict=True)
            ]
            engine.store(nodes, guarded)
        finally:
            gate.shut()
        for new, writer in zip(several, writers, strict=True):
            settle(new, writer)


def _new_array(
    picked: Picked, node: Node, place: Place, store: NewStore, about: Labels
) -> NewArray:
    new = new_array(node, place, store, about)
    new.label = picked.label
    if isinstance(store, NpyStore):
        new.nan = False
        new.problem = (
            "values are missing, and a .npy file has no mask; give a value to replace them "
            "with --fill, or write .nc or .zarr"
        )
    if picked.fill is not None and new.masked:
        new.fill = picked.fill_scalar()
        if new.marker is not None:
            new.marker = new.fill.astype(new.dtype)
            new.remedy = "give another value for missing ones with --fill"
    return new
