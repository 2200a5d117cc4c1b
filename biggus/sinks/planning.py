"""What saving would do, with nothing read and nothing made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from biggus import engine
from biggus.sinks.layout import layouts
from biggus.sinks.locations import place_of, store_class
from biggus.sinks.objects import check_object, name_of, writer_to
from biggus.sinks.saving import paired
from biggus.sinks.stored import as_packed, stores_at

if TYPE_CHECKING:
    from biggus.graph import Node
    from biggus.planning.report import Plan
    from biggus.sinks.layout import SavedLayout
    from biggus.sources.base import Chunks


def plan_save(arrays: Any, targets: Any, *, chunks: Any = None) -> Plan:
    """Tell what :func:`biggus.save` would do; nothing is read, and nothing is made.

    Parameters
    ----------
    arrays : Array, or iterable of them
        What would be saved.
    targets : object or location, or iterable of them
        Where to, one for each array; as for :func:`biggus.save`.
    chunks : int or tuple, optional
        The chunks of what would be made anew.

    Returns
    -------
    Plan
        As of :func:`biggus.plan`.  Where the chunks of a target are unlike those that are
        read, and no block that holds whole chunks of both has room, a pass puts the values
        into a scratch, and another takes them from there.

    Raises
    ------
    MemoryBudgetError
        If it cannot be done in the memory that the options allow.
    OutputError, TypeError, ValueError
        As :func:`biggus.save` raises them of such arrays and targets.

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
    """Return the chunks of which a target is handed whole unions."""
    if not isinstance(goal, (str, os.PathLike)):
        check_object(goal, node)
        return writer_to(goal, name_of(goal), node).grid
    store = store_class(place_of(goal, node).path)
    found = layout.chunks_in(store, node)
    return found if store.chunked and node.shape and 0 not in node.shape else None
