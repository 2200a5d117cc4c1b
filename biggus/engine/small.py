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
from biggus.planning.jobs import is_plain
from biggus.sources.base import Box, Source, Values, checked, read, whole
from biggus.sources.memory import MemorySource
from biggus.sources.memory_cached import MemoryCached
from biggus.statistics import Statistic, partials
from biggus.support import watching
from biggus.support.hidden_warnings import hiding

if TYPE_CHECKING:
    from biggus.graph.step import Step

FEW = 2**14
"""Values; computing so many takes less time than planning it."""

_MOST = 2**20
"""Values; more are read in parts, and show progress."""

_DEEPEST = 32
"""Operations; in longer chains the time of planning does not matter."""

_WHOLE_AXIS = slice(None)


def evaluate_small(node: Node) -> Values | None:
    """Return all values of a node, if they are few, and in one box of a source or in memory.

    Returns
    -------
    ndarray or MaskedArray
        Fresh and writable, in C order; a MaskedArray if the node is masked.
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
    if type(node) is Reduce:
        return _reduced(node)
    size = math.prod(node.shape)
    if not 0 < size <= _MOST:
        return None
    values = _one_box(node, current.chunk_memory > 0)
    if values is not None or size > FEW or not node.combined:
        return values
    values = _computed(node, {}, _DEEPEST)
    return None if values is None else own(node, values, owns_data=node.owns_data)


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
        if type(base) is Leaf or math.prod(base.shape) <= FEW:
            values = _computed(base, known, deeper)
            found = None if values is None else take(node.selection, values)  # type: ignore[attr-defined]
    elif kind is Elementwise and deeper and math.prod(node.shape) <= FEW:
        blocks = []
        for child in node.children:
            values = _computed(child, known, deeper - 1)
            if values is None:
                return None
            blocks.append(values)
        found = spread(node.computed(blocks), node.shape)
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


def _reduced(node: Reduce) -> Values | None:
    """Return a reduction of a few values in memory, which are one reduction block, else None."""
    operand = node.operand
    if not 0 < math.prod(operand.shape) <= FEW:
        return None
    values = _computed(operand, {}, _DEEPEST)
    if values is None:
        return None
    origin = (0,) * len(operand.shape)
    found: Statistic | Values = node.statistic
    while isinstance(found, Statistic):
        [partial] = partials((found.aggregator,), values, node.axes, origin, is_plain(operand))
        with hiding(node.hidden):
            found = found.proceed(partial)
    return own(node, found.reshape(node.shape), owns_data=True)
