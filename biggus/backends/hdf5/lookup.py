"""The offsets of the chunks of a dataset in its file.

libhdf5 finds the offset of one chunk by iterating over the chunks up to that one.  Iterating over
all chunks takes 2 us per chunk, in Python.  Reading one chunk undecoded takes only one lookup in
the index, some 10 us for any number of chunks.  So single chunks are read undecoded.  All
offsets are looked up only for datasets of few chunks, or after so many single reads that it
pays.  They are kept in tables of 16 bytes per chunk, for the datasets read last, with
`MOST_SLOTS` chunks in total.

Everything here is called with `hdf5_lock` held.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.pieces import one_line
from biggus.indexing.grid import strides_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from biggus.backends.hdf5.direct import OpenForRead

MOST_SLOTS = 2**20
"""The most chunks in all tables, which take 16 MiB."""

FEW_SLOTS = 2**10
"""The most chunks of a dataset whose table is always made, in 2 ms."""

_ITERATION_SECONDS = 2e-6
_READ_SECONDS = 15e-6
_BYTE_SECONDS = 0.2e-9
"""The cost of iterating over a chunk, of reading one, and of each of its bytes."""

NOWHERE = 2**64 - 1
"""The offset of an absent chunk."""

_ABSENT = ("chunk storage is not allocated", "chunk address isn't defined")
"""The messages of libhdf5 for a chunk that was never written; the second if it has cached it."""


class Extent(NamedTuple):
    """The offset and size of a chunk in bytes, and the mask of filters that were skipped."""

    offset: int
    size: int
    mask: int


class Table:
    """The extents of all chunks of a dataset, in C order.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    chunks, counts : tuple of int
        The length of a chunk, and the number of chunks, along each axis.
    """

    def __init__(self, dataset: Any, chunks: tuple[int, ...], counts: tuple[int, ...]) -> None:
        slots = math.prod(counts)
        self._offsets = np.full(slots, NOWHERE, np.uint64)
        self._sizes = np.zeros(slots, np.uint32)
        self._masks = np.zeros(slots, np.uint32)
        self._strides = strides_of(counts)
        dataset.id.chunk_iter(self._noting(tuple(zip(chunks, self._strides, strict=True))))

    def _noting(self, axes: tuple[tuple[int, int], ...]) -> Callable[[Any], None]:
        # Assigning to memoryviews takes a quarter of the time of assigning to arrays.
        offsets, sizes, masks = self._offsets.data, self._sizes.data, self._masks.data

        def note(info: Any) -> None:
            origin, mask, offset, size = info
            slot = 0
            for start, (length, stride) in zip(origin, axes, strict=True):
                slot += start // length * stride
            if offset is not None:
                offsets[slot], sizes[slot], masks[slot] = offset, size, mask

        return note

    def __len__(self) -> int:
        return self._offsets.size

    def find(self, number: tuple[int, ...]) -> Extent | None:
        """Return the extent of the chunk of that index along each axis; None if it is absent."""
        slot = sum(map(int.__mul__, number, self._strides))
        offset = self._offsets.item(slot)
        if offset == NOWHERE:
            return None
        return Extent(offset, self._sizes.item(slot), self._masks.item(slot))


class _Tables:
    """The tables of the datasets read last, and the counts of chunks read without a table."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Table] = OrderedDict()
        self.counted: OrderedDict[Hashable, int] = OrderedDict()

    def get(
        self,
        opening: OpenForRead,
        chunks: tuple[int, ...],
        counts: tuple[int, ...],
        wanted: int,
        nbytes: int,
    ) -> Table | None:
        """Return the table of a dataset, or None if it does not pay to make one.

        Parameters
        ----------
        opening : OpenForRead
            The open dataset.
        chunks, counts : tuple of int
            The length of a chunk, and the number of chunks, along each axis.
        wanted : int
            The number of chunks to look up.
        nbytes : int
            The bytes of a chunk that need not be read if its offset is known.
        """
        key = opening.key
        table = self.kept.get(key)
        if table is not None:
            self.kept.move_to_end(key)
            return table
        slots = math.prod(counts)
        # To ask for the dataset is to look at the file once more: that comes last.
        if slots > MOST_SLOTS or (slots > FEW_SLOTS and not self._pays(key, wanted, slots, nbytes)):
            return None
        dataset = opening.dataset()
        if not hasattr(dataset.id, "chunk_iter"):
            return None
        table = Table(dataset, chunks, counts)
        opening.release()
        self.kept[key] = table
        slots_in_use = sum(map(len, self.kept.values()))
        while slots_in_use > MOST_SLOTS:
            slots_in_use -= len(self.kept.popitem(last=False)[1])
        return table

    def _pays(self, key: Hashable, wanted: int, slots: int, nbytes: int) -> bool:
        count = self.counted.pop(key, 0) + wanted
        if count * (_READ_SECONDS + _BYTE_SECONDS * nbytes) >= _ITERATION_SECONDS * slots:
            return True
        self.counted[key] = count
        if len(self.counted) > 128:
            self.counted.popitem(last=False)
        return False


tables = _Tables()


def read_one(dataset: Any, origin: tuple[int, ...]) -> tuple[int, Any] | None:
    """Return a chunk undecoded.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    origin : tuple of int
        The index of the first value of the chunk.

    Returns
    -------
    tuple of (int, bytes) or None
        The mask of skipped filters and the stored bytes; None if it was never written.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        chunk: tuple[int, Any] = dataset.id.read_direct_chunk(origin)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        # If no chunk was ever written, libhdf5 takes the size from uninitialized memory.
        if not dataset.id.get_storage_size() or any(text in str(error) for text in _ABSENT):
            return None
        raise OSError(f"the chunk at {origin}: {one_line(error)}") from error
    return chunk


def find_one(dataset: Any, origin: tuple[int, ...]) -> Extent | None:
    """Return the extent of the chunk that begins at `origin`; None if it is absent."""
    info = dataset.id.get_chunk_info_by_coord(origin)
    if info.byte_offset is None:
        return None
    return Extent(info.byte_offset, info.size, info.filter_mask)
