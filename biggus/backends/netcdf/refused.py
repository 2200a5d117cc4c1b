"""What HDF5 files hold and the netCDF library does not read, as far as h5py can tell.

Not all that is written under the name of a netCDF file is one.  The library refuses
some files, leaves out variables of some types, and takes numbers of types that it does
not know (half and long double precision) for pointers to text: to read them ends the
process.

The caller holds the lock.
"""

from __future__ import annotations

from typing import Any

from biggus.backends.hdf5.files import files, h5py, open_file
from biggus.backends.netcdf.behind import FAILURES, behind
from biggus.errors import OpenError

_HINT = 'backend="hdf5" reads it as HDF5'


def refusal(path: str) -> str:
    """Say what a file is that the library does not open."""
    try:
        with files.visit(path):
            open_file(path)
    except FAILURES:
        return "it is no netCDF file, or is damaged or cut short"
    return f"the netCDF library does not read all that HDF5 files hold; {_HINT}"


def omission(path: str, name: str) -> str:
    """Say more of a variable that the library does not know: nothing if there is none."""
    try:
        with files.visit(path):
            known = behind(path, name)
    except FAILURES:
        known = None
    return "" if known is None else f" that the netCDF library reads; {_HINT}"


def check_text(path: str, name: str, variable: Any) -> None:
    """Raise an OpenError if the library takes for text what is none."""
    if variable.dtype is not str:
        return
    try:
        with files.visit(path):
            found = behind(path, name)
            dtype = None if found is None else found.opened.dataset.dtype
            misread = dtype is not None and h5py().check_string_dtype(dtype) is None
    except FAILURES:
        return
    if misread:
        raise OpenError(path, f"the netCDF library takes the {dtype} of {name!r} for text; {_HINT}")
