"""Finding the offsets of variables in HDF5 files, and reading small ones, with few calls.

A source finds the offset at its first read, and netCDF4-python reads values in a hundred Python
steps.  Here both take a few low-level calls of h5py, to a file that is open for a moment.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.storage import offset_of, offsets_are_reliable, plain_dtype
from biggus.backends.netcdf.h5py_files import opened_briefly
from biggus.backends.netcdf.hdf5_datasets import FAILURES, HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.backends.netcdf.packed import PackedFacts
    from biggus.sources.base import Values


class Seen(NamedTuple):
    """What h5py finds of a variable.

    Attributes
    ----------
    offset : int or None
        The offset of its values in the file; None if they are not contiguous there.
    values : ndarray or None
        The values, if they were wanted and h5py can read them.
    """

    offset: int | None
    values: Values | None


_NOTHING = Seen(None, None)

_MOST_CHUNKS = 2**10
"""The most chunks of a variable to look up."""


def may_be_seen(facts: PackedFacts) -> bool:
    """Return whether h5py may see the variable as netCDF-C does."""
    return facts.netcdf4 and facts.plain


class Glance:
    """An open file, or None if it cannot be opened.  The caller holds the lock."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._root: Any = None
        if file is not None:
            self._name = h5py().h5f.get_name(file)
            self._root = h5py().h5g.open(file, b"/")

    def close(self) -> None:
        """Release the root group, which would keep the file open."""
        self._file = self._root = None

    def see(self, name: str, facts: PackedFacts, wanted: bool) -> Seen:
        """Return what h5py finds of a variable with these properties by netCDF-C.

        Nothing if h5py may see another variable, or only netCDF-C can read it.
        """
        if self._file is not None and may_be_seen(facts):
            with contextlib.suppress(*FAILURES):
                return self._seen(name, facts, wanted)
        return _NOTHING

    def _seen(self, name: str, facts: PackedFacts, wanted: bool) -> Seen:
        dataset = self._dataset(name, facts)
        if dataset is None:
            return _NOTHING
        offset, values = offset_of(dataset, facts.stored_shape, facts.dtype), None
        if wanted and (offset is not None or _lies_here(dataset)):
            values = np.empty(facts.stored_shape, facts.dtype)
            dataset.read(h5py().h5s.ALL, h5py().h5s.ALL, values, dataset.get_type())
        return Seen(offset, values)

    def is_self_contained(self) -> bool:
        """Return whether nothing that belongs to the file lies in another file."""
        if self._file is None:
            return False
        library, file = h5py(), self._file
        inside = {library.h5l.TYPE_HARD, library.h5l.TYPE_SOFT}

        def leads_out(_: bytes, link: Any) -> bool | None:
            return None if link.type in inside else True

        def is_elsewhere(name: bytes, info: Any) -> bool | None:
            if info.type != library.h5o.TYPE_DATASET:
                return None
            return None if _lies_here(library.h5d.open(file, name)) else True

        if self._root.links.visit(leads_out, info=True) is not None:
            return False
        return library.h5o.visit(file, is_elsewhere, info=True) is None

    def places(self, name: str, facts: PackedFacts) -> list[slice]:
        """Return the parts of the file that hold the values of a variable, in the order of axis 0.

        Empty if h5py may see another variable, or if values are compressed, compact or missing.
        """
        if self._file is None or not may_be_seen(facts):
            return []
        dataset = self._dataset(name, facts)
        if dataset is None:
            return []
        offset = offset_of(dataset, facts.stored_shape, facts.dtype)
        if offset is not None:
            return [slice(offset, offset + math.prod(facts.stored_shape) * facts.dtype.itemsize)]
        properties = dataset.get_create_plist()
        if properties.get_layout() != h5py().h5d.CHUNKED or properties.get_nfilters():
            return []
        if not offsets_are_reliable(dataset) or dataset.get_num_chunks() > _MOST_CHUNKS:
            return []
        chunks = [dataset.get_chunk_info(number) for number in range(dataset.get_num_chunks())]
        chunks.sort(key=lambda chunk: chunk.chunk_offset)
        return [slice(each.byte_offset, each.byte_offset + each.size) for each in chunks]

    def _dataset(self, name: str, facts: PackedFacts) -> Any:
        """Return the DatasetID of a variable; None if it may be another, or has other values."""
        library = h5py()
        prefix, slash, last = name.rpartition("/")
        hidden = prefix + slash + HIDDEN + last
        dataset = library.h5d.open(self._file, name.encode())
        if (
            plain_dtype(dataset.get_type()) != facts.dtype
            or self._root.links.exists(hidden.encode())  # that may be the variable
            or library.h5f.get_name(dataset) != self._name  # a link to another file
            or dataset.shape != facts.stored_shape  # it is shorter than its dimensions
            or 0 in facts.stored_shape
        ):
            return None
        return dataset


def _lies_here(dataset: Any) -> bool:
    """Return whether all values are in the file itself."""
    properties = dataset.get_create_plist()
    virtual = properties.get_layout() == h5py().h5d.VIRTUAL
    return not virtual and not properties.get_external_count()


@contextlib.contextmanager
def glance_at(path: str) -> Iterator[Glance]:
    """Open a file for the length of a with block, if h5py can.  The caller holds the lock."""
    with opened_briefly(path) as file:
        glance = Glance(file)
        try:
            yield glance
        finally:
            glance.close()
