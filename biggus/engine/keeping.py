"""Keeping: partial results of reductions, in the cache.

They are kept by batches of cells, under what the values of these are made of, and
with the states of what was read.  So the same analysis reads nothing when it is
made again, and of a mosaic that has grown only what is new; what has changed is
read again.
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
from biggus.planning import positions_of
from biggus.region import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.cache import Cache
    from biggus.engine.merging import Merging
    from biggus.grid import Index
    from biggus.planning import Cell, Reduction
    from biggus.source import Box
    from biggus.statistics import Family, Partial

    _Place = tuple[Index, int, int]
    """Of a batch: its position along the kept axes, its segment, and its number there."""

_log = logging.getLogger("biggus.engine")

_FORMAT = "partial-1"


def keeping_of(reduction: Reduction) -> Keeping | None:
    """Return what keeps the partial results of a reduction, if the options say so."""
    if not options.current().keep_partials:
        return None
    cache = chosen_cache(None, remote=False)
    return None if cache is None else Keeping(reduction, cache)


class Keeping:
    """The partial results of one reduction that are kept, or will be.

    Parameters
    ----------
    reduction : Reduction
        What is reduced.
    cache : Cache
        Where they are kept.
    """

    def __init__(self, reduction: Reduction, cache: Cache) -> None:
        self.reduction = reduction
        self.cache = cache
        self._known = True  # until it turns out that there are no fingerprints
        self._before: dict[_Place, tuple[Fingerprint, tuple[bytes, ...]]] = {}
        self._seen: dict[_Place, list[int]] = {}
        self._lock = threading.Lock()

    def wanted(self, cell: Cell, merging: Merging | None) -> bool:
        """Tell whether a cell must be computed; if not, its batch is handed to `merging`, if any.

        To be called once for each cell.
        """
        if not self._known:
            return True
        tree = self.reduction.tree
        segment, batch, _ = tree.place(cell.reduced)
        place = (cell.kept, segment, batch)
        seen = self._seen.get(place)
        if seen is None:
            partials = self._looked_up(place)
            seen = self._seen[place] = [tree.batch_size(segment, batch), partials is None]
            if partials is not None and merging is not None:
                merging.add_batch(cell.kept, segment, batch, partials)
        seen[0] -= 1
        if not seen[0]:
            del self._seen[place]
        return bool(seen[1])

    def keep(self, kept: Index, segment: int, batch: int, partials: Sequence[Partial]) -> None:
        """Keep what has come of a batch, if nothing has changed since it was looked up."""
        place = (kept, segment, batch)
        with self._lock:
            found = self._before.pop(place, None)
        if found is None:
            return
        made_of, before = found
        if made_of.versions() != before:
            return
        version = _packed_versions(before)
        box = self._box(place)
        for family, partial in zip(self.reduction.families, partials, strict=True):
            payload = encoded(partial)
            if payload is not None:
                key = self._key(made_of, family, place, box)
                self.cache.store_bytes(key, payload, version)

    def _looked_up(self, place: _Place) -> list[Partial] | None:
        """Return the partial results of a batch that are kept and good; None if one is not."""
        box = self._box(place)
        values = math.prod(s.stop - s.start for s in box)
        nbytes = self.reduction.nbytes(positions_of(box, self.reduction.axes))
        if nbytes > max(4096, values * self.reduction.node.dtype.itemsize):
            return None  # to read it again takes no longer
        made_of = fingerprint(self.reduction.node, Selection.of_box(box))
        if made_of is None:
            self._known = False
            return None
        found = []
        for family in self.reduction.families:
            partial = self._partial(made_of, family, place, box)
            if partial is None:
                break
            found.append(partial)
        else:
            return found
        before = made_of.versions()
        if before is not None:
            with self._lock:
                self._before[place] = (made_of, before)
        return None

    def _partial(
        self, made_of: Fingerprint, family: Family, place: _Place, box: Box
    ) -> Partial | None:
        for holder in (family, *family.holders):
            key = self._key(made_of, holder, place, box)
            entry = self.cache.load_bytes(key)
            if entry is None:
                continue
            payload, version = entry
            versions = _unpacked_versions(version)
            partial = decoded(payload)
            if versions is None or partial is None or not made_of.good(versions):
                continue
            _log.debug("partial results of %s are at hand", self.reduction.node)
            return holder.restrict(partial, family)
        return None

    def _key(self, made_of: Fingerprint, family: Family, place: _Place, box: Box) -> str:
        """Return the key of the partial results of a batch: 40 hexadecimal digits."""
        _, segment, batch = place
        lengths = []
        for edges, s in zip(self.reduction.cells.axes, box, strict=True):
            numbers = range(edges.find(s.start), edges.find(s.stop - 1) + 1)
            lengths.append([stop - start for start, stop in map(edges.bounds, numbers)])
        text: list[Any] = [_FORMAT, family.key, np.__version__, self.reduction.axes, lengths]
        text += [self.reduction.tree.batch_size(segment, batch)]
        if family.placed:
            text += [[s.start for s in box], self.reduction.node.shape]
        digest = hashlib.blake2b(made_of.identity, digest_size=20)
        digest.update(json.dumps(text).encode())
        return digest.hexdigest()

    def _box(self, place: _Place) -> Box:
        """Return the box that holds the cells of a batch."""
        kept, segment, batch = place
        reduction = self.reduction
        found = reduction.tree.batch(segment, batch)
        box = [slice(0, 0, 1)] * len(reduction.node.shape)
        for axis, number in zip(reduction.kept_axes, kept, strict=True):
            box[axis] = slice(*reduction.cells.axes[axis].bounds(number), 1)
        for axis, first, last in zip(reduction.axes, found.first, found.last, strict=True):
            edges = reduction.cells.axes[axis]
            box[axis] = slice(edges.bounds(first)[0], edges.bounds(last)[1], 1)
        return tuple(box)


def encoded(partial: Partial) -> bytes | None:
    """Return a partial result as bytes: the dtypes and shapes as JSON, then the values.

    None if it holds objects.
    """
    if any(array.dtype.hasobject for array in partial):
        return None
    head = json.dumps([[array.dtype.str, array.shape] for array in partial]).encode()
    arrays = [np.ascontiguousarray(array).tobytes() for array in partial]
    return b"".join([len(head).to_bytes(4, "little"), head, *arrays])


def decoded(payload: bytes) -> Partial | None:
    """Return the partial result that bytes are of, its arrays writable; None if it is damaged."""
    size = int.from_bytes(payload[:4], "little")
    at = 4 + size
    try:
        found = []
        for name, shape in json.loads(payload[4:at]):
            dtype = np.dtype(name)
            nbytes = dtype.itemsize * math.prod(shape)
            raw = bytearray(payload[at : at + nbytes])
            found.append(np.frombuffer(raw, dtype).reshape(shape))
            at += nbytes
    except (ValueError, TypeError):
        return None
    return tuple(found) if at == len(payload) else None


def _packed_versions(versions: Sequence[bytes]) -> bytes:
    """Return versions as one; of many that are the same, such as a file's, one is written."""
    unique = list(dict.fromkeys(versions))
    numbers = {version: number for number, version in enumerate(unique)}
    same = len(unique) == 1
    text = [
        [version.hex() for version in unique],
        len(versions) if same else [numbers[version] for version in versions],
    ]
    return json.dumps(text, separators=(",", ":")).encode()


def _unpacked_versions(packed: bytes) -> tuple[bytes, ...] | None:
    try:
        texts, numbers = json.loads(packed)
        unique = [bytes.fromhex(text) for text in texts]
        if isinstance(numbers, int):
            numbers = [0] * numbers
        return tuple([unique[number] for number in numbers])
    except (ValueError, TypeError, IndexError):
        return None
