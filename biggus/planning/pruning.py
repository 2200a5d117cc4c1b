"""Pruning: a task reduced to the nodes that it computes, to be sent to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.graph import CutOut, Elementwise, Node, View, Walk, rebuilt, select
from biggus.indexing.selection import Selection
from biggus.planning.rewriting import CommonSubexpressions
from biggus.planning.schedule import past_views
from biggus.sources.base import Box, holds, within

if TYPE_CHECKING:
    from collections.abc import Generator

    from biggus.planning.tasks import Task


def pruned(task: Task) -> Task:
    """Return the same task with its nodes cut down to the selections that it computes.

    A shared node is cut once, to the box that is read of it, so that the blocks of the task
    still share it.
    """
    intern = CommonSubexpressions()
    windows = {id(node): _Window(node, box) for node, box in task.shared}

    def opening(node: Node) -> Node | Generator[Any, Node, Node]:
        return windows.get(id(node)) or rebuilt(node, node.inner)

    opened: Walk[Node] = Walk(opening)
    closed: Walk[Node] = Walk(_closed)
    blocks = []
    for block in task.blocks:
        cut_out = CutOut()
        nodes = [closed(cut_out(opened(node), block.selection)) for node in block.nodes]
        selection = Selection.identity(block.selection.shape)
        blocks.append(block.of(map(intern, nodes), selection))
    shared = [window.shared for window in windows.values() if window.shared is not None]
    return task._replace(
        blocks=tuple(blocks), shared=tuple([(intern(node), box) for node, box in shared])
    )


def _closed(node: Node) -> Node | Generator[Any, Node, Node]:
    if isinstance(node, View) and isinstance(node.base, _Window):
        return node.base.seen(node.selection)
    return rebuilt(node, node.inner)


class _Window(View):
    """Stands for a shared node while a task is pruned: selections of it go through its box."""

    __slots__ = ("_box", "_small", "shared")

    def __init__(self, node: Node, box: Box) -> None:
        self._box = box
        super().__init__(node, Selection.identity(node.shape))
        self._small = small = CutOut()(node, Selection.of_box(self._box))
        self.shared: tuple[Node, Box] | None = None
        """The node that the pruned task shares, and its box; None if it shares none."""
        base, selection = past_views(small, Selection.identity(small.shape))
        box, _ = selection.bounding_box()
        if not isinstance(base, Elementwise) and all(s.step == 1 for s in box):
            self.shared = (base, box)

    def pushdown(self, selection: Selection) -> None:  # type: ignore[override]
        return None

    def seen(self, selection: Selection) -> Node:
        """Return the node of a selection; of the box alone, if it lies within."""
        box, local = selection.bounding_box()
        if not holds(self._box, box):
            return CutOut()(self.base, selection)
        there = Selection.of_box(within(box, self._box))
        return select(self._small, there.compose(local))
