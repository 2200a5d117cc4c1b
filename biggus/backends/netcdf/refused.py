"""Contents of HDF5 files that the netCDF library does not read, found by h5py.

Some HDF5 files with the suffix of netCDF are not netCDF files.  The library refuses some, leaves
out variables of some types, and takes numbers of unknown types (half and long double precision)
for pointers to text.  Reading these crashes the process, and so does closing a file in which such
a variable has a fill value, as h5netcdf writes it.

The caller holds the lock.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

from biggus.backends.hdf5.files import files, h5py, open_file
from biggus.backends.netcdf.hdf5_datasets import FAILURES, behind
from biggus.errors import OpenError

_HINT = "`backend='hdf5'` reads it as HDF5"

_KNOWN_SIZES = (4, 8)

_OTHER_FLOAT = re.compile(rb"[\x11\x21\x31\x41\x51]..\0[\x02\x0a\x0c\x10]\0\0\0", re.DOTALL)
"""The beginning of a datatype in a file: floats of half or long double precision."""


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


def may_have_other_floats(data: bytes) -> bool:
    """Return whether the bytes of a file may hold floats of a size unknown to the library."""
    return _OTHER_FLOAT.search(data) is not None


def check_floats(path: str, file: Any) -> None:
    """Raise an OpenError if the library would crash when it closes a file.

    Parameters
    ----------
    path : str
        The path of the file.
    file : h5py.h5f.FileID
        The file.
    """
    library = h5py()

    def crashing(name: bytes, info: Any) -> str | None:
        if info.type != library.h5o.TYPE_DATASET:
            return None
        dataset = library.h5d.open(file, name)
        kind = dataset.get_type()
        if kind.get_class() != library.h5t.FLOAT or kind.get_size() in _KNOWN_SIZES:
            return None
        filled = dataset.get_create_plist().fill_value_defined()
        if filled != library.h5d.FILL_VALUE_USER_DEFINED:
            return None
        return f"{kind.dtype} of {name.decode(errors='replace')!r}"

    found = None
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # damage is found when it is read
        found = library.h5o.visit(file, crashing, info=True)  # ends at the first one
    if found is not None:
        problem = f"the netCDF library crashes by the fill value of the {found}"
        raise OpenError(path, f"{problem}; {_HINT}")


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
