"""`plan_save`: the plan of a save, without reading or writing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from biggus import engine
from biggus.sinks.layout import SavedLayout, layouts
from biggus.sinks.locations import place_of, store_class
from biggus.sinks.objects import check_object, name_of, writer_to
from biggus.sinks.saving import paired
from biggus.sinks.stored import as_packed, stores_at

if TYPE_CHECKING:
    from biggus.graph import Node
    from biggus.planning.report import Plan
    from biggus.sources.base import Chunks


def plan_save(arrays: Any, targets: Any, *, chunks: Any = None) -> Plan:
    """Plan what :func:`biggus.save` would do, without reading or writing anything.

    Parameters
    ----------
    arrays : Array, or iterable of Array
        The arrays to save.
    targets : object or location, or iterable of them
        The target of each array, as for :func:`biggus.save`.
    chunks : int or tuple, optional
        The chunks of new arrays, as for :func:`biggus.save`.

    Returns
    -------
    Plan
        The plan, as of :func:`biggus.plan`.  If the chunks of a target differ from those of
        the sources, and a block of whole chunks of both does not fit into memory, one pass
        writes the values to a scratch file, and another reads them from there.

    Raises
    ------
    MemoryBudgetError
        If the save does not fit into the ``memory`` option.
    OutputError, TypeError, ValueError
        As :func:`biggus.save` would raise them for these arrays and targets.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> class Zeros:
    ...     shape, dtype = (500, 200, 200), np.dtype("f4")
    ...
    ...     def __getitem__(self, box):
    ...         return np.zeros([len(range(s.start, s.stop, s.step)) for s in box], "f4")
    >>> a = biggus.ArrayAdapter(Zeros(), chunks=(1, 200, 200))
    >>> with biggus.set_options(memory="20 MB"):
    ...     plan = biggus.plan_save(a, "columns.zarr", chunks=(500, 20, 20))
    >>> [each.times_read for each in plan.passes], plan.passes[0].scratch_bytes
    ([1.0, 0.0], 80000000)
    """
    nodes, goals = paired(arrays, targets)
    new = [isinstance(goal, (str, os.PathLike)) for goal in goals]
    places = {n: place_of(goals[n], nodes[n]) for n, each in enumerate(new) if each}
    nodes = as_packed(nodes, places, stores_at(places))
    how = layouts(nodes, goals, chunks, None)
    return engine.estimate(nodes, list(map(_grid, nodes, goals, how)))


def _grid(node: Node, goal: Any, layout: SavedLayout) -> Chunks | None:
    """Return the chunks of a target; each block written to it consists of whole ones."""
    if not isinstance(goal, (str, os.PathLike)):
        check_object(goal, node)
        return writer_to(goal, name_of(goal), node).grid
    store = store_class(place_of(goal, node).path)
    chunks = layout.chunks_in(store, node)
    return chunks if store.chunked and node.shape and 0 not in node.shape else None
