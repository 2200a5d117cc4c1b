"""Merging: partial results of reduction blocks are merged, in a fixed tree, into statistics."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from biggus.planning.tree_levels import TILES_A_SUBTREE, ReductionTree, Subtree
from biggus.sources.base import Box, box_shape, whole
from biggus.statistics import Partial, Statistic
from biggus.support.hidden_warnings import hiding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from biggus.engine.partial_cache import PartialCache
    from biggus.engine.result import Result
    from biggus.engine.spill import Spilled
    from biggus.graph import Reduce
    from biggus.indexing.grid import Index
    from biggus.planning.jobs import Reduction, ReductionBlock


class _InnerNode:
    """An inner node of the tree: one tree for each aggregator, and the lock to add to them."""

    def __init__(self, trees: list[ReductionTree]) -> None:
        self.trees = trees
        self.lock = threading.Lock()


class Merging:
    """Merges the partial results of one reduction, from any thread, and writes its statistics.

    Parameters
    ----------
    reduction : Reduction
    results : sequence of Result or Spilled
        The target of the values of each wanted statistic.
    cache : PartialCache, optional
        Stores complete subtrees, and has those of earlier evaluations.

    Attributes
    ----------
    further : dict of Reduce to Statistic
        The statistics that need another pass over the data.
    """

    def __init__(
        self, reduction: Reduction, results: Sequence[Result | Spilled], cache: PartialCache | None
    ) -> None:
        self.reduction = reduction
        self.further: dict[Reduce, Statistic] = {}
        self._results = results
        self.cache = cache
        self._nodes: dict[tuple[int | Index, ...], _InnerNode] = {}
        self._lock = threading.Lock()

    def wanted(self, block: ReductionBlock) -> bool:
        """Return whether a reduction block must be computed, because the cache lacks its result.

        To be called once for each reduction block, by one thread at a time.
        """
        return self.cache is None or self.cache.wanted(block, self.add_subtree)

    def add(self, blocks: Sequence[ReductionBlock], partials: Sequence[list[Partial]]) -> None:
        """Add the partial results of reduction blocks."""
        tree = self.reduction.tree
        for block, results in zip(blocks, partials, strict=True):
            tile, part, place = tree.place(block.reduced)
            key = (block.kept, 0, tile, part)
            merged = self._merged(key, partial(tree.block_subtree_size, tile, part), place, results)
            self._add_complete(Subtree(block.kept, tile, part), merged)

    def _add_complete(self, subtree: Subtree, partials: list[Partial] | None) -> None:
        """Cache the partial results of a subtree, and add them, if all of them have been merged."""
        if partials is None:
            return
        if self.cache is not None:
            self.cache.keep(subtree, partials)  # may ask servers: no lock is held
        self.add_subtree(subtree, partials)

    def add_subtree(self, subtree: Subtree, partials: list[Partial]) -> None:
        """Add the partial results of a complete subtree."""
        kept, number, part = subtree
        tree = self.reduction.tree
        if part is None:
            merged = self._merged((kept, 3), lambda: tree.tile_subtrees, number, partials)
            if merged is not None:
                self._finish(kept, merged)
            return
        count = partial(tree.block_subtrees, number)
        merged = self._merged((kept, 1, number), count, part, partials)
        if merged is not None:
            above, place = divmod(number, TILES_A_SUBTREE)
            count = partial(tree.tile_subtree_size, above)
            merged = self._merged((kept, 2, above), count, place, merged)
            self._add_complete(Subtree(kept, above, None), merged)

    def _merged(
        self,
        key: tuple[int | Index, ...],
        count: Callable[[], int],
        position: int,
        partials: list[Partial],
    ) -> list[Partial] | None:
        """Add one child of an inner node of the tree; return the merge once all have been added.

        Parameters
        ----------
        key : tuple
            Identifies the inner node.
        count : callable
            Returns how many children it has; called when the first child is added.
        position : int
            The number of the child.
        partials : list of Partial
            The child's partial result of each aggregator.
        """
        with self._lock:
            node = self._nodes.get(key)
            if node is None:
                children = count()
                if children == 1:
                    return partials
                trees = [ReductionTree(each, children) for each in self.reduction.aggregators]
                node = self._nodes[key] = _InnerNode(trees)
        with node.lock:  # threads merge for different nodes at the same time
            for tree, each in zip(node.trees, partials, strict=True):
                tree.add(position, each)
            if node.trees[0].result is None:
                return None
        with self._lock:
            del self._nodes[key]
        return [tree.result for tree in node.trees if tree.result is not None]

    def _finish(self, kept: Index | None, partials: list[Partial]) -> None:
        """Write the statistics of the complete positions of some blocks; None for all."""
        reduction = self.reduction
        with self._lock:
            for (node, statistic), result in zip(
                reduction.wanted.items(), self._results, strict=True
            ):
                with hiding(node.hidden):
                    outcome = statistic.proceed(reduction.restricted(partials, statistic))
                if isinstance(outcome, Statistic):
                    self.further[node] = outcome
                else:
                    box = self._box(kept, node, statistic)
                    result.write(box, outcome.reshape(box_shape(box)))

    def _box(self, kept: Index | None, node: Reduce, statistic: Statistic) -> Box:
        """Return the box of some positions in the results of a statistic."""
        if kept is None:
            return whole(node.shape)
        box = self.reduction.kept_box(kept)
        if not node.keepdims:
            box = tuple([s for axis, s in enumerate(box) if axis not in node.axes])
        return (*box, *whole(statistic.shape))

    def empty(self) -> None:
        """Write the statistics of an operand without elements."""
        reduction = self.reduction
        shape = reduction.node.shape
        kept = tuple([1 if axis in reduction.axes else n for axis, n in enumerate(shape)])
        self._finish(None, [aggregator.identity(kept) for aggregator in reduction.aggregators])
