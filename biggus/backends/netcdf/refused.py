"""Contents of HDF5 files that the netCDF library does not read, found by h5py.

Some HDF5 files with the suffix of netCDF are not netCDF files.  The library refuses some, leaves
out variables of some types, and takes numbers of unknown types (half and long double precision)
for pointers to text; reading these crashes the process.

The caller holds the lock.
"""

from __future__ import annotations

from typing import Any

from biggus.backends.hdf5.files import files, h5py, open_file
from biggus.backends.netcdf.hdf5_datasets import FAILURES, behind
from biggus.errors import OpenError

_HINT = "`backend='hdf5'` reads it as HDF5"


def refusal(path: str) -> str:
    """Explain why the library does not open a file."""
    try:
        with files.visit(path):
            open_file(path)
    except FAILURES:
        return "it is not a netCDF file, or is damaged or cut short"
    return f"the netCDF library does not read all HDF5 files; {_HINT}"


def omission(path: str, name: str) -> str:
    """Explain that the library does not know a variable; empty if it does not exist."""
    try:
        with files.visit(path):
            known = behind(path, name)
    except FAILURES:
        known = None
    return "" if known is None else f" that the netCDF library reads; {_HINT}"


def check_text(path: str, name: str, variable: Any) -> None:
    """Raise an OpenError if the library takes other values for text."""
    if variable.dtype is not str:
        return
    try:
        with files.visit(path):
            stored = behind(path, name)
            dtype = None if stored is None else stored.opened.dataset.dtype
            misread = dtype is not None and h5py().check_string_dtype(dtype) is None
    except FAILURES:
        return
    if misread:
        raise OpenError(path, f"the netCDF library takes the {dtype} of {name!r} for text; {_HINT}")
