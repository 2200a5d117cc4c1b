"""Files of HDF5 at a glance: where variables lie in them, and the values of small ones.

What a source learns when it is first read from, and what netCDF4-python reads in a hundred
steps of Python, is learnt here with few calls, of a file that is open for a moment.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.storage import offset_of, plain_dtype
from biggus.backends.netcdf.behind import FAILURES, HIDDEN
from biggus.backends.netcdf.beside import opened_briefly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.backends.netcdf.packed import PackedFacts
    from biggus.sources.base import Values


class Seen(NamedTuple):
    """What is seen of a variable.

    Attributes
    ----------
    offset : int or None
        Where its values begin in the file; None if they do not lie there in one piece.
    values : ndarray or None
        The values, if they were wanted and can be read so.
    """

    offset: int | None
    values: Values | None


_NOTHING = Seen(None, None)


def may_be_seen(facts: PackedFacts) -> bool:
    """Tell whether h5py may see what netCDF-C has told of."""
    return facts.netcdf4 and facts.plain


class Glance:
    """A file that is open, or None where it cannot be.  The caller holds the lock."""

    def __init__(self, file: Any) -> None:
        self._file = file
        if file is not None:
            self._name = h5py().h5f.get_name(file)
            self._root = h5py().h5g.open(file, b"/")

    def see(self, name: str, facts: PackedFacts, wanted: bool) -> Seen:
        """Return what is seen of a variable, of which netCDF-C has told this.

        Nothing, if that may be another one than h5py sees, or only the library can read it.
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
            or self._root.links.exists(hidden.encode())  # it is that one, or there are two
            or library.h5f.get_name(dataset) != self._name  # a link led to another file
            or dataset.shape != facts.stored_shape  # it ends before its dimensions do
            or 0 in facts.stored_shape
        ):
            return _NOTHING
        offset, values = offset_of(dataset, facts.stored_shape, dtype), None
        if wanted and (offset is not None or _lies_here(dataset)):
            values = np.empty(facts.stored_shape, dtype)
            dataset.read(library.h5s.ALL, library.h5s.ALL, values, kind)
        return Seen(offset, values)


def _lies_here(dataset: Any) -> bool:
    """Tell whether all values are in the file itself."""
    properties = dataset.get_create_plist()
    virtual = properties.get_layout() == h5py().h5d.VIRTUAL
    return not virtual and not properties.get_external_count()


@contextlib.contextmanager
def glance_at(path: str) -> Iterator[Glance]:
    """Open a file for the length of a with block, if h5py is there, and can.

    The caller holds the lock.
    """
    with opened_briefly(path) as file:
        yield Glance(file)
