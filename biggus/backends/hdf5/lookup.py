"""Where the chunks of a dataset lie in its file.

libhdf5 tells it of one chunk by going through all of them, up to that one, or of all in
one go (2 us each, in Python).  But it reads one, as it is stored, with a look into its index
that takes some 10 us however many there are.  So one is read; what it was told of all in one
go is kept, 16 bytes a chunk, for the datasets that were read last, `MOST_SLOTS` chunks
in all, and it is asked only for datasets of few chunks, or once so many were read that it pays.

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
"""Of so many chunks it is kept where they lie, 16 MiB."""

FEW_SLOTS = 2**10
"""A dataset of so few chunks is asked for all of them at once, in 2 ms."""

_TOLD_SECONDS = 2e-6
_READ_SECONDS = 15e-6
_BYTE_SECONDS = 0.2e-9
"""What a chunk costs that is told of, and one that is read; and each byte of that."""

NOWHERE = 2**64 - 1

_ABSENT = "chunk storage is not allocated"
"""What libhdf5 says of a chunk that was never written."""


class Extent(NamedTuple):
    """Where a chunk lies: offset and size in bytes, and which filters were left out."""

    offset: int
    size: int
    mask: int


class Table:
    """Where all chunks of a dataset lie, by their number in C order.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    chunks, counts : tuple of int
        The length of a chunk, and the number of them, along each axis.
    """

    def __init__(self, dataset: Any, chunks: tuple[int, ...], counts: tuple[int, ...]) -> None:
        slots = math.prod(counts)
        self._offsets = np.full(slots, NOWHERE, np.uint64)
        self._sizes = np.zeros(slots, np.uint32)
        self._masks = np.zeros(slots, np.uint32)
        self._strides = strides_of(counts)
        dataset.id.chunk_iter(self._noting(tuple(zip(chunks, self._strides, strict=True))))

    def _noting(self, axes: tuple[tuple[int, int], ...]) -> Callable[[Any], None]:
        # Views take single numbers in a quarter of the time that arrays need.
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
        """Return where the chunk of that number along each axis lies; None if it is absent."""
        slot = sum(map(int.__mul__, number, self._strides))
        offset = self._offsets.item(slot)
        if offset == NOWHERE:
            return None
        return Extent(offset, self._sizes.item(slot), self._masks.item(slot))


class _Tables:
    """The tables that are kept, and of which datasets how many chunks were read without one."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Table] = OrderedDict()
        self.asked: OrderedDict[Hashable, int] = OrderedDict()

    def get(
        self,
        opening: OpenForRead,
        chunks: tuple[int, ...],
        counts: tuple[int, ...],
        wanted: int,
        nbytes: int,
    ) -> Table | None:
        """Return the table of a dataset, or None if it does not pay to have it.

        Parameters
        ----------
        opening : OpenForRead
            Gives the h5py Dataset, which is asked for only where there is no table yet.
        chunks, counts : tuple of int
            The length of a chunk, and the number of them, along each axis.
        wanted : int
            How many chunks are to be looked for.
        nbytes : int
            How many bytes of a chunk need not be read where it is known where it lies.
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
        held = sum(map(len, self.kept.values()))
        while held > MOST_SLOTS:
            held -= len(self.kept.popitem(last=False)[1])
        return table

    def _pays(self, key: Hashable, wanted: int, slots: int, nbytes: int) -> bool:
        asked = self.asked.pop(key, 0) + wanted
        if asked * (_READ_SECONDS + _BYTE_SECONDS * nbytes) >= _TOLD_SECONDS * slots:
            return True
        self.asked[key] = asked
        if len(self.asked) > 128:
            self.asked.popitem(last=False)
        return False


tables = _Tables()


def read_one(dataset: Any, origin: tuple[int, ...]) -> tuple[int, Any] | None:
    """Return the chunk that begins at `origin`, as it is stored, and which filters were left out.

    None if it was never written.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        found: tuple[int, Any] = dataset.id.read_direct_chunk(origin)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        # Where no chunk at all was written, the size is whatever was in memory.
        if _ABSENT in str(error) or find_one(dataset, origin) is None:
            return None
        raise OSError(f"the chunk at {origin}: {one_line(error)}") from error
    return found


def find_one(dataset: Any, origin: tuple[int, ...]) -> Extent | None:
    """Return where the chunk that begins at `origin` lies; None if it is absent."""
    info = dataset.id.get_chunk_info_by_coord(origin)
    if info.byte_offset is None:
        return None
    return Extent(info.byte_offset, info.size, info.filter_mask)
