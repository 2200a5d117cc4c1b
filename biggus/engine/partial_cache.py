"""The partial-result cache: partial results of reductions are stored in the cache.

An entry has the partial result of a subtree of the reduction tree.  Its key is the fingerprint of
the values of the subtree, and it has the validators of the files that were read.  So the same
analysis reads nothing when it is repeated, and only the new tiles of a mosaic that has grown;
files that have changed are read again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.caching import chosen_cache
from biggus.engine.fingerprint import Fingerprint, fingerprint
from biggus.indexing.selection import Selection
from biggus.planning.jobs import Reduction, ReductionBlock, positions_of
from biggus.planning.tree_levels import TILES_A_SUBTREE, BlockSpan, Subtree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from biggus.cache import Cache
    from biggus.indexing.grid import Box, Edges
    from biggus.statistics import Aggregator, Partial

    _Take = Callable[[Subtree, list[Partial]], None]

_log = logging.getLogger("biggus.engine")

_FORMAT = "partial-3"


def partial_cache_of(reduction: Reduction, asks: bool = True) -> PartialCache | None:
    """Return the cache of the partial results of a reduction; None if the options have none.

    Parameters
    ----------
    reduction : Reduction
    asks : bool
        Whether servers are asked if entries are still valid; not in a dry run.
    """
    if not options.current().keep_partials:
        return None
    cache = chosen_cache(None, remote=False)
    return None if cache is None else PartialCache(reduction, cache, asks)


class PartialCache:
    """The partial results of one reduction in a cache.

    Parameters
    ----------
    reduction : Reduction
    cache : Cache
    asks : bool
        Whether servers may be asked if entries are still valid.
    """

    def __init__(self, reduction: Reduction, cache: Cache, asks: bool) -> None:
        self.reduction = reduction
        self._asks = asks
        self.cache = cache
        self._clears = cache.cleared
        self._has_fingerprints = True  # until one cannot be made
        # For each subtree to be stored its fingerprint, and the validator before it was read.
        self._before: dict[Subtree, tuple[Fingerprint, bytes]] = {}
        # For each subtree looked up whether it was found, and its blocks not asked for yet.
        self._seen: dict[Subtree, tuple[bool, int]] = {}
        self._lock = threading.Lock()

    def wanted(self, block: ReductionBlock, take: _Take | None) -> bool:
        """Return whether a block must be computed, because the cache has no subtree with it.

        To be called once for each block.  A subtree that is found is passed to `take`.
        """
        if not self._has_fingerprints:
            return True
        tree = self.reduction.tree
        tile, part, _ = tree.place(block.reduced)
        if tree.tiles > 1:
            number = tile // TILES_A_SUBTREE
            subtree = Subtree(block.kept, number, None)
            if self._is_there(subtree, take, lambda: tree.blocks_below(number)):
                return False
        subtree = Subtree(block.kept, tile, part)
        return not self._is_there(subtree, take, lambda: tree.block_subtree_size(tile, part))

    def _is_there(self, subtree: Subtree, take: _Take | None, blocks: Callable[[], int]) -> bool:
        """Return whether the cache has a subtree; called once for each of its blocks."""
        there, remaining = self._seen.pop(subtree, (None, 0))
        if there is None:
            partials = self._looked_up(subtree)
            there, remaining = partials is not None, blocks()
            if partials is not None and take is not None:
                take(subtree, partials)
        if remaining > 1:
            self._seen[subtree] = there, remaining - 1
        return there

    def keep(self, subtree: Subtree, partials: Sequence[Partial]) -> None:
        """Store the partial results of a subtree, if no file has changed since it was looked up."""
        with self._lock:
            entry = self._before.pop(subtree, None)
        if entry is None:
            return
        made_of, validator = entry
        if made_of.validator() != validator:
            return
        span = self._span(subtree)
        box = self._box(subtree, span)
        for aggregator, partial in zip(self.reduction.aggregators, partials, strict=True):
            for part in aggregator.parts:
                payload = encoded(aggregator.restrict(partial, part))
                if payload is not None:
                    self.cache.store_bytes(
                        self._key(made_of, part, span, box), payload, validator, self._clears
                    )

    def _looked_up(self, subtree: Subtree) -> list[Partial] | None:
        """Return the valid partial results of a subtree; None if the cache lacks one of them."""
        span = self._span(subtree)
        box = self._box(subtree, span)
        values = math.prod(s.stop - s.start for s in box)
        nbytes = self.reduction.nbytes(positions_of(box, self.reduction.axes))
        if nbytes > max(4096, values * self.reduction.node.dtype.itemsize):
            return None  # reading the values again takes no longer
        made_of = fingerprint(self.reduction.node, Selection.of_box(box))
        if made_of is None:
            self._has_fingerprints = False
            return None
        partials = []
        for aggregator in self.reduction.aggregators:
            parts = [self._partial(made_of, part, span, box) for part in aggregator.parts]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                break
            partials.append(aggregator.composed(known))
        else:
            return partials
        validator = made_of.validator()
        if validator is not None:
            with self._lock:
                self._before[subtree] = (made_of, validator)
        return None

    def _partial(
        self, made_of: Fingerprint, aggregator: Aggregator, span: BlockSpan, box: Box
    ) -> Partial | None:
        for holder in (aggregator, *aggregator.holders):
            key = self._key(made_of, holder, span, box)
            entry = self.cache.load_bytes(key)
            if entry is None:
                continue
            payload, validator = entry
            partial = decoded(payload)
            if partial is None or not made_of.is_valid(validator, self._asks):
                continue
            _log.debug("partial results of %s were found in the cache", self.reduction.node)
            return holder.restrict(partial, aggregator)
        return None

    def _key(self, made_of: Fingerprint, aggregator: Aggregator, span: BlockSpan, box: Box) -> str:
        """Return the key of an aggregator's partial result of a subtree: 40 hexadecimal digits."""
        text: list[Any] = [_FORMAT, aggregator.key, np.__version__, self.reduction.axes]
        text.append([_lengths(*pair) for pair in zip(self.reduction.blocks.axes, box, strict=True)])
        text.append(span.layout)
        text.append(aggregator.run_length(self.reduction.plain))
        if aggregator.placed:
            text += [[s.start for s in box], self.reduction.node.shape]
        digest = hashlib.blake2b(made_of.identity, digest_size=20)
        digest.update(json.dumps(text).encode())
        return digest.hexdigest()

    def _span(self, subtree: Subtree) -> BlockSpan:
        tree = self.reduction.tree
        if subtree.part is None:
            return tree.tile_subtree(subtree.number)
        return tree.block_subtree(subtree.number, subtree.part)

    def _box(self, subtree: Subtree, span: BlockSpan) -> Box:
        """Return the box that holds the reduction blocks of a subtree."""
        reduction = self.reduction
        box = [slice(0, 0, 1)] * len(reduction.node.shape)
        for axis, number in zip(reduction.kept_axes, subtree.kept, strict=True):
            box[axis] = slice(*reduction.blocks.axes[axis].bounds(number), 1)
        for axis, first, last in zip(reduction.axes, span.first, span.last, strict=True):
            edges = reduction.blocks.axes[axis]
            box[axis] = slice(edges.bounds(first)[0], edges.bounds(last)[1], 1)
        return tuple(box)


def _lengths(edges: Edges, s: slice) -> list[int]:
    """Return the lengths of the reduction blocks in a slice of an axis."""
    return [stop - start for start, stop in map(edges.bounds, edges.touching(s))]


def encoded(partial: Partial) -> bytes | None:
    """Return a partial result as bytes: dtypes and shapes as JSON, then values; None of objects."""
    if any(array.dtype.hasobject for array in partial):
        return None
    head = json.dumps([[array.dtype.str, array.shape] for array in partial]).encode()
    arrays = [np.ascontiguousarray(array).tobytes() for array in partial]
    return b"".join([len(head).to_bytes(4, "little"), head, *arrays])


def decoded(payload: bytes) -> Partial | None:
    """Return the partial result of encoded bytes, as writable arrays; None if it is damaged."""
    size = int.from_bytes(payload[:4], "little")
    at = 4 + size
    try:
        arrays = []
        for name, shape in json.loads(payload[4:at]):
            dtype = np.dtype(name)
            nbytes = dtype.itemsize * math.prod(shape)
            raw = bytearray(payload[at : at + nbytes])
            arrays.append(np.frombuffer(raw, dtype).reshape(shape))
            at += nbytes
    except (ValueError, TypeError):
        return None
    return tuple(arrays) if at == len(payload) else None
