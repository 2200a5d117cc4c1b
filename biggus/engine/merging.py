"""Merging: partial results of reduction blocks, in a fixed tree, to statistics."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from biggus.planning.reduction_tree import ReductionTree
from biggus.planning.tree_levels import TILES_A_SUBTREE, Subtree
from biggus.sources.base import box_shape, whole
from biggus.statistics import Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from biggus.engine.partial_cache import PartialCache
    from biggus.engine.result import Result
    from biggus.engine.spill import Spilled
    from biggus.graph import Reduce
    from biggus.indexing.grid import Index
    from biggus.planning.jobs import Reduction, ReductionBlock
    from biggus.sources.base import Box
    from biggus.statistics import Partial


class Merging:
    """The partial results of one reduction: what has come, and what has come of it.

    Parameters
    ----------
    reduction : Reduction
        What is reduced.
    results : sequence of Result or Spilled
        Where the values of each wanted statistic go.
    cache : PartialCache, optional
        What keeps subtrees that are complete, and knows those that were kept.
    """

    def __init__(
        self, reduction: Reduction, results: Sequence[Result | Spilled], cache: PartialCache | None
    ) -> None:
        self.reduction = reduction
        self.further: dict[Reduce, Statistic] = {}
        """The statistics that need another pass over the data."""
        self._results = results
        self.cache = cache
        self._trees: dict[tuple[int | Index, ...], list[ReductionTree]] = {}
        self._lock = threading.Lock()

    def wanted(self, block: ReductionBlock) -> bool:
        """Tell whether a reduction block must be computed: not if what comes of it was kept.

        To be called once for each reduction block, by one thread at a time.
        """
        return self.cache is None or self.cache.wanted(block, self.add_subtree)

    def add(self, blocks: Sequence[ReductionBlock], partials: Sequence[list[Partial]]) -> None:
        """Take the partial results of reduction blocks; from any thread."""
        for block, found in zip(blocks, partials, strict=True):
            self._add(block, found)

    # To keep something may ask servers: nobody waits for that, so the lock is not held then.

    def _add(self, block: ReductionBlock, partials: list[Partial]) -> None:
        tree = self.reduction.tree
        if tree.blocks == 1:
            if self.cache is not None:
                self.cache.keep(Subtree(block.kept, 0, 0), partials)
            self._finish(block.kept, partials)
            return
        tile, part, position = tree.place(block.reduced)
        key = (block.kept, 0, tile, part)
        merged = self._merged(key, partial(tree.block_subtree_size, tile, part), position, partials)
        if merged is not None:
            subtree = Subtree(block.kept, tile, part)
            if self.cache is not None:
                self.cache.keep(subtree, merged)
            self._add_block_subtree(subtree, merged)

    def add_subtree(self, subtree: Subtree, partials: list[Partial]) -> None:
        """Take the partial results of a subtree that were computed earlier."""
        if self.reduction.tree.blocks == 1:
            self._finish(subtree.kept, partials)
        elif subtree.part is None:
            self._add_tile_subtree(subtree, partials)
        else:
            self._add_block_subtree(subtree, partials)

    def _add_block_subtree(self, subtree: Subtree, partials: list[Partial]) -> None:
        kept, tile, part = subtree
        assert part is not None
        tree = self.reduction.tree
        key = (kept, 0, tile)
        merged = self._merged(key, partial(tree.block_subtrees, tile), part, partials)
        if merged is None:
            return
        number, place = divmod(tile, TILES_A_SUBTREE)
        size = partial(tree.tile_subtree_size, number)
        merged = self._merged((kept, 1, number), size, place, merged)
        if merged is None:
            return
        subtree = Subtree(kept, number, None)
        if self.cache is not None:
            self.cache.keep(subtree, merged)
        self._add_tile_subtree(subtree, merged)

    def _add_tile_subtree(self, subtree: Subtree, partials: list[Partial]) -> None:
        count = self.reduction.tree.tile_subtrees
        merged = self._merged((subtree.kept, 2), lambda: count, subtree.number, partials)
        if merged is not None:
            self._finish(subtree.kept, merged)

    def _merged(
        self,
        key: tuple[int | Index, ...],
        count: Callable[[], int],
        position: int,
        partials: list[Partial],
    ) -> list[Partial] | None:
        """Take one of the parts of something; return what they give if they are complete."""
        aggregators = self.reduction.aggregators
        with self._lock:
            trees = self._trees.get(key)
            if trees is None:
                parts = count()  # of those that have come before it is known
                if parts == 1:
                    return partials
                trees = self._trees[key] = [ReductionTree(one, parts) for one in aggregators]
            for tree, each in zip(trees, partials, strict=True):
                tree.add(position, each)
            if trees[0].result is None:
                return None
            del self._trees[key]
        return [tree.result for tree in trees if tree.result is not None]

    def _finish(self, kept: Index | None, partials: list[Partial]) -> None:
        """Put the statistics of complete positions where they go: of some, or None for all."""
        reduction = self.reduction
        with self._lock:
            for (node, statistic), result in zip(
                reduction.wanted.items(), self._results, strict=True
            ):
                found = statistic.proceed(reduction.restricted(partials, statistic))
                if isinstance(found, Statistic):
                    self.further[node] = found
                else:
                    box = self._box(kept, node, statistic)
                    result.write(box, found.reshape(box_shape(box)))

    def _box(self, kept: Index | None, node: Reduce, statistic: Statistic) -> Box:
        """Return where the results of some positions lie in those of a statistic."""
        if kept is None:
            return whole(node.shape)
        box = self.reduction.kept_box(kept)
        if not node.keepdims:
            box = tuple([s for axis, s in enumerate(box) if axis not in node.axes])
        return (*box, *whole(statistic.shape))

    def empty(self) -> None:
        """Give the statistics of nothing, or of what has no block, where there are positions."""
        reduction = self.reduction
        shape = reduction.node.shape
        kept = tuple([1 if axis in reduction.axes else n for axis, n in enumerate(shape)])
        self._finish(None, [aggregator.identity(kept) for aggregator in reduction.aggregators])
