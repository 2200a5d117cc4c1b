"""Merging: partial results of cells, in a fixed tree, to statistics."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from biggus.planning import SHELF, ReductionTree, Run, Unit, Wanted
from biggus.sources.base import box_shape
from biggus.statistics import Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from biggus.engine.kept_partials import Keeping
    from biggus.engine.result import Result
    from biggus.engine.spill import Spilled
    from biggus.indexing.grid import Index
    from biggus.planning import Cell, Reduction
    from biggus.sources.base import Values
    from biggus.statistics import Partial

    Target = Result | Spilled


class Merging:
    """The partial results of one reduction: what has come, and what has come of it.

    Parameters
    ----------
    reduction : Reduction
        What is reduced.
    results : sequence of Result or Spilled
        Where the values of each wanted statistic go.
    keeping : Keeping, optional
        What keeps batches that are complete, and knows those that were kept.
    """

    def __init__(
        self, reduction: Reduction, results: Sequence[Target], keeping: Keeping | None = None
    ) -> None:
        self.reduction = reduction
        self.further: list[Wanted] = []
        """The statistics that need another pass over the data."""
        self._results = results
        self.keeping = keeping
        self._folds: dict[tuple[int | Index, ...], list[ReductionTree]] = {}
        self._lock = threading.Lock()

    def wanted(self, cell: Cell) -> bool:
        """Tell whether a cell must be computed: not if what comes of it was kept.

        To be called once for each cell, by one thread at a time.
        """
        return self.keeping is None or self.keeping.wanted(cell, self)

    def add(self, cells: Sequence[Cell], partials: Sequence[list[Partial]]) -> None:
        """Take the partial results of cells; from any thread."""
        with self._lock:
            for cell, found in zip(cells, partials, strict=True):
                self._add(cell, found)

    def _add(self, cell: Cell, partials: list[Partial]) -> None:
        tree = self.reduction.tree
        if tree.cells == 1:
            if self.keeping is not None:
                self.keeping.keep(Unit(cell.kept, 0, 0), partials)
            self._finish(cell.kept, partials)
            return
        segment, batch, position = tree.place(cell.reduced)
        key = (cell.kept, 0, segment, batch)
        merged = self._merged(key, lambda: tree.batch_size(segment, batch), position, partials)
        if merged is not None:
            unit = Unit(cell.kept, segment, batch)
            if self.keeping is not None:
                self.keeping.keep(unit, merged)
            self._add_batch(unit, merged)

    def add_unit(self, unit: Unit, partials: list[Partial]) -> None:
        """Take the partial results of a batch or a shelf that were computed earlier."""
        with self._lock:
            if self.reduction.tree.cells == 1:
                self._finish(unit.kept, partials)
            elif unit.batch is None:
                self._add_shelf(unit, partials)
            else:
                self._add_batch(unit, partials)

    def _add_batch(self, unit: Unit, partials: list[Partial]) -> None:
        kept, segment, batch = unit
        assert batch is not None
        tree = self.reduction.tree
        key = (kept, 0, segment)
        merged = self._merged(key, lambda: tree.batches(segment), batch, partials)
        if merged is None:
            return
        shelf, place = divmod(segment, SHELF)
        merged = self._merged((kept, 1, shelf), lambda: tree.shelf_size(shelf), place, merged)
        if merged is None:
            return
        on_shelf = Unit(kept, shelf, None)
        if self.keeping is not None:
            self.keeping.keep(on_shelf, merged)
        self._add_shelf(on_shelf, merged)

    def _add_shelf(self, unit: Unit, partials: list[Partial]) -> None:
        shelves = self.reduction.tree.shelves
        merged = self._merged((unit.kept, 2), lambda: shelves, unit.number, partials)
        if merged is not None:
            self._finish(unit.kept, merged)

    def _merged(
        self,
        key: tuple[int | Index, ...],
        count: Callable[[], int],
        position: int,
        partials: list[Partial],
    ) -> list[Partial] | None:
        """Take one of the parts of something; return what they give if they are complete."""
        folds = self._folds.get(key)
        if folds is None:
            parts = count()  # of those that have come before it is known
            if parts == 1:
                return partials
            folds = [ReductionTree(aggregator, parts) for aggregator in self.reduction.aggregators]
            self._folds[key] = folds
        for fold, partial in zip(folds, partials, strict=True):
            fold.add(Run(0, position, position + 1, partial))
        if folds[0].result is None:
            return None
        del self._folds[key]
        return [fold.result for fold in folds if fold.result is not None]

    def _finish(self, kept: Index, partials: list[Partial]) -> None:
        """Put the statistics of complete positions where they go."""
        reduction = self.reduction
        for wanted, result in zip(reduction.wanted, self._results, strict=True):
            found = wanted.statistic.proceed(reduction.restricted(partials, wanted.statistic))
            if isinstance(found, Statistic):
                self.further.append(Wanted(wanted.node, found))
            else:
                self._put(kept, wanted, result, found)

    def _put(self, kept: Index, wanted: Wanted, result: Target, values: Values) -> None:
        node = wanted.node
        box = self.reduction.kept_box(kept)
        if not node.keepdims:
            box = tuple([s for axis, s in enumerate(box) if axis not in node.axes])
        box = (*box, *[slice(0, n, 1) for n in wanted.statistic.shape])
        shaped = values.reshape(box_shape(box))
        result.write(box, shaped)

    def empty(self) -> None:
        """Give the statistics of nothing, or of what has no cell, where there are positions."""
        reduction = self.reduction
        shape = reduction.node.shape
        kept = tuple([1 if axis in reduction.axes else n for axis, n in enumerate(shape)])
        partials = [aggregator.identity(kept) for aggregator in reduction.aggregators]
        for wanted, result in zip(reduction.wanted, self._results, strict=True):
            found = wanted.statistic.proceed(reduction.restricted(partials, wanted.statistic))
            if isinstance(found, Statistic):
                self.further.append(Wanted(wanted.node, found))
            else:
                result.write(
                    tuple([slice(0, n, 1) for n in wanted.node.shape]),
                    found.reshape(wanted.node.shape),
                )
