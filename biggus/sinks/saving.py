"""`save`: arrays are evaluated together and written to their targets, block by block."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from biggus import engine
from biggus.adapt import holds_several, node_of, nodes_of, several
from biggus.array import Array
from biggus.engine.running import start_workers
from biggus.errors import MissingDependencyError, OutputError
from biggus.labels import Labels, encoding_of, labels_of_all
from biggus.sinks.blocks import Guarded, WriteGate
from biggus.sinks.companions import companions_of, shared_group_attributes
from biggus.sinks.inputs import Inputs
from biggus.sinks.layout import DEFAULT_LAYOUT, SavedLayout, layouts
from biggus.sinks.locations import (
    Place,
    check_names,
    check_nothing_lost,
    place_of,
    store_class,
)
from biggus.sinks.marked import Marked
from biggus.sinks.metadata import distinct_dims, dtype_attributes
from biggus.sinks.missing import FillingWriter, marker_for
from biggus.sinks.new import NewArray, NewStore, Target
from biggus.sinks.objects import check_object, name_of, writer_to
from biggus.sinks.placing import check_place, replacing
from biggus.sinks.stored import as_packed, stores_at
from biggus.support import watching
from biggus.support.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from biggus.engine import Writer
    from biggus.graph import Node

_log = logging.getLogger("biggus.sinks")


def save(
    arrays: Any,
    targets: Any,
    *,
    overwrite: bool = False,
    chunks: Any = None,
    compression: Any = None,
    pack: bool = True,
) -> None:
    """Compute arrays together, and write each to its target block by block.

    No array is held in memory as a whole.  Subexpressions that the arrays share are read and
    computed once.  Blocks are aligned to the chunks of the targets.

    Parameters
    ----------
    arrays : Array, or iterable of Array, or mapping of str to Array
        The arrays to save.  Those of a mapping, such as a :class:`Dataset`, go to one new store,
        under their names.
    targets : object or location, or iterable of them
        The target of each array, which is one of:

        - an object with ``shape`` and ``__setitem__``: an ndarray, a memmap, an
          ``h5py.Dataset``, a ``zarr.Array``, a ``netCDF4.Variable``, or an object of your own,
          which is assigned ndarrays;
        - the location of a new file or store: ``"out.npy"``, ``"out.zarr"``,
          ``"out.zarr::name"``, ``"out.h5::name"`` or ``"out.nc::name"``.  The default name is
          that of the array.  A Zarr store of an array without a name is that array; if it has
          coordinates, it is called ``data``.  Beside an array with a name are its coordinates.

        New files and stores appear when they are complete.
    overwrite : bool, optional
        Whether to replace files and stores that exist.  They are replaced as a whole, when the
        new ones are complete.
    chunks : int or tuple, or list of them, optional
        The chunks of new arrays: one length for all axes, or one for each axis; -1 stands for
        the length of the axis.  A list has an entry for each target.  By default, chunks are
        those of :meth:`Array.rechunk`, or those of the sources, small ones combined.
    compression : str, tuple or False, or list of them, optional
        The compression of new arrays: ``"zstd"``, ``"gzip"``, ``"lz4"``, ``"lzf"``,
        ``"blosc:lz4"`` or another of Blosc's, or a tuple of such a name and a level.  False is
        no compression.  A list has an entry for each target.  By default, it is that of the
        sources if the format has it (Zarr stores do not adopt that of HDF5), else the default
        of the library that writes the format.
    pack : bool, optional
        Whether to pack values in NetCDF, HDF5 and Zarr as they were packed in their source, so
        that stored values are the same to the bit.  This applies to arrays that were only
        selected from and joined.  If False, values are written unpacked.

    Raises
    ------
    OutputError
        If a target cannot be written, exists already, or is one of the inputs; or if a format
        has no chunks or not the compression asked for.
    ValueError
        If shapes differ, the numbers of arrays and targets differ, or chunks do not fit.
    TypeError
        If an object cannot be a target, or its dtype cannot hold the values.
    MaskedValueError
        If a value is missing and the target cannot represent it.  Targets with a fill value
        can, and targets of floats or times, where it becomes NaN or NaT.
    SourceError
        If a read fails.

    See Also
    --------
    plan_save : Plan a save without reading or writing.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(12.0).reshape(3, 4))
    >>> mean, doubled = np.empty(4), np.empty((3, 4))
    >>> biggus.save([a.mean(axis=0), 2 * a], [mean, doubled])
    >>> mean
    array([4., 5., 6., 7.])
    """
    nodes, goals = paired(arrays, targets)
    how = layouts(nodes, goals, chunks, compression)
    watching.begun_again(lambda: _saved(nodes, goals, overwrite, how, pack))


def _saved(
    nodes: list[Node], goals: list[Any], overwrite: bool, how: Sequence[SavedLayout], pack: bool
) -> None:
    """Save nodes, each to its target; new stores become visible when they are complete."""
    inputs = Inputs(nodes)
    objects: list[int] = []
    places: dict[int, Place] = {}
    for number, (node, goal) in enumerate(zip(nodes, goals, strict=True)):
        if isinstance(goal, (str, os.PathLike)):
            places[number] = place_of(goal, node)
        else:
            check_object(goal, node)
            inputs.check_object(goal, name_of(goal))
            objects.append(number)
    stores = stores_at(places) if pack else {}
    nodes = as_packed(nodes, places, stores)
    about, beside = companions_of(nodes, places, stores)
    how = [*how, *[DEFAULT_LAYOUT] * len(beside)]
    for each in beside:
        places[len(nodes)], about[len(nodes)] = each.place, each.labels
        nodes.append(each.node)
    together: dict[Path, list[int]] = {}
    for number, place in places.items():
        together.setdefault(place.path, []).append(number)
    for path, numbers in together.items():
        names = [places[number].name for number in numbers]
        check_names(path, names)
        inputs.check_path(path)
        check_place(path, overwrite)
        check_nothing_lost(path, names)
    start_workers()
    with contextlib.ExitStack() as stack:
        # Entered first, so left last: all stores are closed before any is moved to its place.
        temporary = {path: stack.enter_context(replacing(path, overwrite)) for path in together}
        gate = WriteGate()
        writers: dict[int, Writer] = {
            number: Guarded(
                writer_to(goals[number], name_of(goals[number]), nodes[number]),
                name_of(goals[number]),
                gate,
            )
            for number in objects
        }
        created: list[tuple[NewArray, Marked | FillingWriter]] = []
        for path, numbers in together.items():
            store = stack.enter_context(_opened(store_class(path)(temporary[path]), path))
            for number in numbers:
                new = _new_array(nodes[number], places[number], store, about[number], how[number])
                created.append((new, _create(store, new)))
                writers[number] = Guarded(created[-1][1], new.label, gate)
            arrays = [number for number in numbers if number < len(goals)]
            store.set_attributes(shared_group_attributes([about[number] for number in arrays]))
        stack.callback(gate.shut)
        engine.store(nodes, [writers[number] for number in range(len(nodes))])
        for new, writer in created:
            with _failures_of(new):
                writer.finish()


def paired(arrays: Any, targets: Any) -> tuple[list[Node], list[Any]]:
    """Return the nodes of the arrays, and the list of their targets."""
    of_xarray = type(arrays).__module__.partition(".")[0] == "xarray"
    if of_xarray and isinstance(targets, (str, os.PathLike)):
        _log.warning(
            "names and coordinates of an object of xarray are not saved; its method .biggus.save "
            "keeps them"
        )
    if isinstance(arrays, Mapping) and isinstance(targets, (str, os.PathLike)):
        arrays, store = {**arrays, **_coordinates_alone(arrays)}, os.fspath(targets)
        targets = [f"{store}::{name}" for name in arrays]
        arrays = list(arrays.values())
    if not holds_several(arrays):
        arrays, targets = [arrays], [targets]
    elif not holds_several(targets):
        raise TypeError("several arrays need a list of targets, one for each")
    arrays, targets = several(arrays), list(targets)
    if len(arrays) != len(targets):
        raise ValueError(f"there are {len(arrays)} arrays, but {len(targets)} targets")
    seen: set[int] = set()
    for target in targets:
        if not isinstance(target, (str, os.PathLike)) and id(target) in seen:
            raise ValueError(f"{name_of(target)} is the target of two arrays")
        seen.add(id(target))
    return nodes_of(arrays), targets


def _coordinates_alone(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coordinates of a dataset that are none of its arrays', such as those of stations.

    The coordinates of arrays are saved beside them.
    """
    coords = {n: a for n, a in getattr(dataset, "coords", {}).items() if isinstance(a, Array)}
    found = labels_of_all(map(node_of, dataset.values()), coordinates=True) if coords else []
    beside = {each.name.rpartition("/")[2] for labels in found for each in labels.coordinates}
    return {name: array for name, array in coords.items() if name not in beside}


@contextlib.contextmanager
def _opened(store: NewStore, label: object) -> Iterator[NewStore]:
    """Yield a store, and close it at the end.

    Raises
    ------
    OutputError
        If closing fails.
    """
    try:
        yield store
    except BaseException:
        # The first error is raised: on a full disk, closing fails, too.
        with contextlib.suppress(Exception):
            store.close()
        raise
    try:
        store.close()
    except Exception as error:
        raise OutputError(f"cannot write {label}: {reason_of(error)}") from error


def _create(store: NewStore, new: NewArray) -> Marked | FillingWriter:
    """Make an array in a store.

    Raises
    ------
    OutputError
        If the format cannot hold the array, or it cannot be written.
    """
    may_miss = new.masked or new.implied is not None
    marked = may_miss and new.dtype.kind in store.marks and new.marker is not False
    with _failures_of(new):
        writer = store.create(new)
        return (
            Marked(writer, new)
            if marked and isinstance(writer, Target)
            else FillingWriter(writer, new)
        )


@contextlib.contextmanager
def _failures_of(new: NewArray) -> Iterator[None]:
    """Turn exceptions into an OutputError that names the array."""
    try:
        yield
    except MissingDependencyError:
        raise
    except Exception as error:
        raise OutputError(f"cannot write {new.label}: {reason_of(error)}") from error


def _new_array(
    node: Node, place: Place, store: NewStore, about: Labels, layout: SavedLayout = DEFAULT_LAYOUT
) -> NewArray:
    """Return the description of the array that a node becomes in a store.

    Raises
    ------
    OutputError
        If the format cannot hold the values.
    """
    try:
        chunks = layout.chunks_in(type(store), node)
        compression = layout.compression_in(type(store), node)
        dtype = store.stored(node.dtype, node.masked)
    except OutputError as error:
        raise OutputError(f"cannot write {place.label}: {error}") from error
    attributes, marker = store.metadata(about, dtype)
    if node.dtype.kind in "UOT":
        attributes.pop("_Encoding", None)  # of characters, which are decoded already
    implied = None if node.masked or marker is not None else store.implied(about, dtype)
    if node.masked:
        marker = None
        if dtype.kind in store.marks:
            marker = store.first_marker(dtype)
            if marker is None:
                marker = marker_for(node, dtype, about.packed_fill)
    return NewArray(
        label=place.label,
        name=place.name,
        shape=node.shape,
        dtype=dtype,
        chunks=chunks,
        dims=distinct_dims(about.named, node.shape),
        attributes=attributes | dtype_attributes(node.dtype, dtype, node.masked),
        marker=marker,
        masked=node.masked,
        implied=implied,
        problem=store.problem(node.dtype),
        compression=compression,
        unlimited=_unlimited(node, about),
    )


def _unlimited(node: Node, about: Labels) -> set[str]:
    """Return the names of the axes that are unlimited where the values or coordinates are read.

    The time of a statistic along time was unlimited, too.
    """
    nodes = [node, *(each.node for each in about.coordinates)]
    unlimited = {dim for each in nodes for dim in encoding_of(each).get("unlimited", ())}
    return unlimited.intersection(about.named)
