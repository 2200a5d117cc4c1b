"""HDF5 files that h5py opens for a moment, beside netCDF4-python.

The caller holds the lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from biggus.backends.hdf5.files import h5py
from biggus.backends.netcdf.hdf5_datasets import FAILURES


def without_locks() -> bool:
    """Return whether HDF5's file locks are off, so that a file can be opened while it is written.

    netCDF4-python sees at once what another handle of this process has written, and h5py only
    after it was flushed.  Usually a lock keeps h5py from opening such a file, so that
    netCDF4-python reads it.
    """
    return os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in {"FALSE", "0"}


@contextlib.contextmanager
def opened_briefly(path: str) -> Iterator[Any]:
    """Open a file by h5py for the length of a with block; give its FileID, or None if it fails.

    The caller holds the lock, and keeps no object of the file: the file would stay open.
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
    """Return the properties for opening files, the same as in `biggus.backends.hdf5.files`."""
    library = h5py()
    access = library.h5p.create(library.h5p.FILE_ACCESS)
    access.set_file_locking(True, ignore_when_disabled=True)
    return access
