"""HDF5 files that h5py opens for a moment, beside netCDF4-python.

The caller holds the lock.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from biggus.backends.hdf5.files import h5py
from biggus.backends.netcdf.behind import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterator


def without_locks() -> bool:
    """Tell whether files can be opened here while they are written to.

    What another handle of this process has written, netCDF4-python sees at once, and
    nobody else before it is on the disk.  As a rule a lock keeps h5py from opening such a
    file, and so the values are left to netCDF4-python.
    """
    return os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in {"FALSE", "0"}


@contextlib.contextmanager
def opened_briefly(path: str) -> Iterator[Any]:
    """Give the h5py FileID of a file for the length of a with block; None if there can be none.

    The caller holds the lock.
    """
    file = None
    try:
        with contextlib.suppress(*FAILURES):
            if not without_locks():
                file = h5py().h5f.open(os.fsencode(path), h5py().h5f.ACC_RDONLY, _access())
        yield file
    finally:
        if file is not None:
            file.close()


@cache
def _access() -> Any:
    """Return how files are opened, as `biggus.backends.hdf5.files` opens them."""
    library = h5py()
    access = library.h5p.create(library.h5p.FILE_ACCESS)
    access.set_fclose_degree(library.h5f.CLOSE_STRONG)  # one for all that have a file open
    if hasattr(access, "set_file_locking"):
        access.set_file_locking(True, ignore_when_disabled=True)
    return access
