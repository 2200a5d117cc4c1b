"""Finding the offsets of variables in HDF5 files, and reading small ones, with few calls.

A source finds the offset at its first read, and netCDF4-python reads values in a hundred Python
steps.  Here both take a few low-level calls of h5py, to a file that is open for a moment.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.storage import offset_of, plain_dtype
from biggus.backends.netcdf.behind import FAILURES, HIDDEN
from biggus.backends.netcdf.h5py_files import opened_briefly

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
        library = h5py()
        prefix, slash, last = name.rpartition("/")
        hidden = prefix + slash + HIDDEN + last
        dataset = library.h5d.open(self._file, name.encode())
        kind = dataset.get_type()
        dtype = plain_dtype(kind)
        if (
            dtype is None
            or dtype != facts.dtype
            or self._root.links.exists(hidden.encode())  # that may be the variable
            or library.h5f.get_name(dataset) != self._name  # a link to another file
            or dataset.shape != facts.stored_shape  # it is shorter than its dimensions
            or 0 in facts.stored_shape
        ):
            return _NOTHING
        offset, values = offset_of(dataset, facts.stored_shape, dtype), None
        if wanted and (offset is not None or _lies_here(dataset)):
            values = np.empty(facts.stored_shape, dtype)
            dataset.read(library.h5s.ALL, library.h5s.ALL, values, kind)
        return Seen(offset, values)


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
