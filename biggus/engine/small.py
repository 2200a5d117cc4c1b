"""Small evaluations: a few values are read and computed without a plan, threads or a watch.

A watch makes all reads of an evaluation see one state of each file.  It is not needed here: values
are read from one source in one box, or computed from arrays in memory.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.engine.result import own
from biggus.graph import Elementwise, Leaf, Node, Reduce, View, spread, take
from biggus.indexing.selection import ConstantMap, DimensionMap, Selection
from biggus.planning.jobs import Reduction, is_plain
from biggus.planning.rewriting import pushdown
from biggus.sources.base import Box, Source, Values, checked, read, whole
from biggus.sources.memory import MemorySource
from biggus.sources.memory_cached import MemoryCached
from biggus.statistics import Statistic, partials
from biggus.support import watching
from biggus.support.hidden_warnings import hiding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph.step import Step

_FEW = 2**14
"""The most values that are computed here; planning would take longer than computing them."""

_MOST = 2**20
"""The most values that are read here; more are read in parts, and show progress."""

_DEEPEST = 32
"""The most operations in a chain; of longer ones, the time of planning does not matter."""

_WHOLE_AXIS = slice(None)


def evaluate_small(nodes: Sequence[Node]) -> list[Values] | None:
    """Return all values of nodes, if they are few, and in memory or in one box of a source.

    Only a single node is read from a source.

    Returns
    -------
    list of ndarray or MaskedArray
        Fresh and writable, in C order; a MaskedArray for each node that is masked.
    None
        If they are not, or if a read would wait; nothing has been read then.

    Raises
    ------
    SourceError
        If the read fails.
    """
    current = options.current()
    if current.deadline is not None or current.retry_changed or current.executor is not None:
        return None
    if current.progress is not False:
        return None
    if len(nodes) == 1:
        [node] = nodes
        if 0 < math.prod(node.shape) <= _MOST:
            values = _one_box(node, current.chunk_memory > 0)
            if values is not None:
                return [values]
        if not (node.combined or node.needs_reduction):
            return None
    return _all_computed(nodes) if all(map(_may_be_few, nodes)) else None


def _may_be_few(node: Node) -> bool:
    """Return whether a node has few values, and those that it is computed from are in memory.

    A quick check, which looks only at the first values that it is computed from.
    """
    few = 0 < math.prod(node.shape) <= _FEW
    for _ in range(2 * _DEEPEST):  # views do not count as operations
        if type(node) is Leaf:
            return few and node.source.in_memory
        if type(node) not in (Elementwise, Reduce, View) or math.prod(node.shape) > _FEW:
            return False
        node = node.children[0]
    return False


def _all_computed(nodes: Sequence[Node]) -> list[Values] | None:
    known: dict[int, Values] = {}
    results = []
    # Selections of reductions are pushed down, as they are before a pass.
    for node in [pushdown(each) if is_nested(each) else each for each in nodes]:
        values = _computed(node, known, _DEEPEST)
        if values is None:
            return None
        results.append(own(node, values, owns_data=len(nodes) == 1 and node.owns_data))
    return results


def is_nested(node: Node) -> bool:
    """Return whether a node contains a reduction, and not only as the node itself."""
    return node.needs_reduction and any(child.needs_reduction for child in node.children)


def _one_box(node: Node, keeps_chunks: bool) -> Values | None:
    """Return the values of a node that is one box of a source with steps applied, else None.

    `keeps_chunks` says whether the options allow a chunk memory.
    """
    selection = None
    base = node
    if type(base) is View:
        selection = base.selection
        base = base.children[0]
    steps = []
    while type(base) is Elementwise and len(base.children) == 1:
        steps.append(base.step)
        base = base.children[0]
    if type(base) is not Leaf:
        return None
    source = base.source
    if source.masked:
        return None
    if type(source) is MemoryCached:
        if keeps_chunks and selection is not None:
            values = source.selected(selection)
            if values is not None:
                # A copy is in C order.
                return _finished(node, source, values, steps) if steps else values.copy()
        if not (keeps_chunks and source.keeps_chunks):
            source = source.source
    found = _box(selection, node.shape)
    return None if found is None else _read(node, source, *found, steps)


def _read(node: Node, source: Source, box: Box, key: Any, steps: list[Step]) -> Values | None:
    """Return the values of a box that `key` selects, with the steps of a node, last step first."""
    values = source.cached_read(box)
    if values is None:
        if source.io_bound:
            return None
        # A read in several parts must see one state of the file.
        values = watching.evaluated(partial(read, source, box))
    elif type(source) is not MemoryCached and not source.in_memory:
        values = checked(source, box, values)
    if key is not None:
        values = values[key]
    return _finished(node, source, values, steps)


def _finished(node: Node, source: Source, values: Values, steps: list[Step]) -> Values:
    """Return a fresh array of values of a source, with steps applied, last step first."""
    while steps:
        values = steps.pop()(values)
    return own(node, values, owns_data=source.owns_data)


def _box(selection: Selection | None, shape: tuple[int, ...]) -> tuple[Box, Any] | None:
    """Return the box of a selection, and the key of its values there; None for all values.

    Returns None for a selection with strides or index arrays, or with its dims in another order.
    """
    if selection is None:
        return whole(shape), None
    box: list[slice] = []
    key: list[Any] = []
    dim = 0
    for m in selection.maps:
        if type(m) is ConstantMap:
            box.append(slice(m.index, m.index + 1, 1))
            key.append(0)
        elif type(m) is DimensionMap and m.step == 1 and m.dim == dim:
            box.append(slice(m.start, m.start + shape[dim], 1))
            key.append(_WHOLE_AXIS)
            dim += 1
        else:
            return None
    if dim != len(shape):
        return None
    return tuple(box), None if dim == len(box) else (*key, ...)


def _computed(node: Node, known: dict[int, Values], deeper: int) -> Values | None:
    """Return all values of a node computed from a few values in memory, else None.

    The values must not be modified.
    """
    found = known.get(id(node))
    if found is not None:
        return found
    kind = type(node)
    if kind is Leaf:
        found = _in_memory(node.source)  # type: ignore[attr-defined] # its kind is known
    elif kind is View:
        base = node.children[0]
        if type(base) is Leaf or math.prod(base.shape) <= _FEW:
            values = _computed(base, known, deeper)
            found = None if values is None else take(node.selection, values)  # type: ignore[attr-defined]
    elif kind is Elementwise and deeper and math.prod(node.shape) <= _FEW:
        blocks = []
        for child in node.children:
            values = _computed(child, known, deeper - 1)
            if values is None:
                return None
            blocks.append(values)
        found = spread(node.computed(blocks), node.shape)
    elif kind is Reduce and deeper:
        found = _reduced(node, known, deeper)  # type: ignore[arg-type]
    if found is not None:
        known[id(node)] = found
    return found


def _in_memory(source: Source) -> Values | None:
    """Return all values of a source in memory, else None."""
    if type(source) is MemorySource:
        values = source.array
        if values.shape == source.shape and values.dtype == source.dtype:
            return values  # a read would only check the shape and dtype
    return read(source, whole(source.shape)) if source.in_memory else None


def _reduced(node: Reduce, known: dict[int, Values], deeper: int) -> Values | None:
    """Return a reduction of a few values in memory, which are one reduction block, else None."""
    operand = node.operand
    if not 0 < math.prod(operand.shape) <= _FEW or math.prod(node.shape) > _FEW:
        return None
    # Results of several blocks are merged, which may round in another way.
    if operand.grid is not None and Reduction({node: node.statistic}).blocks.count > 1:
        return None
    values = _computed(operand, known, deeper - 1)
    if values is None:
        return None
    origin = (0,) * len(operand.shape)
    found: Statistic | Values = node.statistic
    while isinstance(found, Statistic):
        [partial] = partials((found.aggregator,), values, node.axes, origin, is_plain(operand))
        with hiding(node.hidden):
            found = found.proceed(partial)
    return own(node, found.reshape(node.shape), owns_data=True)
