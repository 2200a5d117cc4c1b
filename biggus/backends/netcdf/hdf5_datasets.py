"""The HDF5 datasets behind the variables of NetCDF-4 files, opened by h5py.

The caller holds the lock, and holds or visits the file in the pool of HDF5 files.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from biggus.backends.hdf5.files import OpenDataset, open_dataset, open_file
from biggus.errors import BiggusError, VariableError

FAILURES = (BiggusError, OSError, RuntimeError, KeyError, ValueError, TypeError)
"""The errors if h5py is not installed, or cannot open a file that netCDF4-python has open."""

HIDDEN = "_nc4_non_coord_"
"""The prefix of the dataset of a variable that has the name of a dimension, but not its axis."""

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
"""The attribute ``NAME`` of a dataset that stands for a dimension alone."""


class Behind(NamedTuple):
    """The dataset of a variable, and its name."""

    name: str
    opened: OpenDataset


def behind(path: str, name: str) -> Behind | None:
    """Return the dataset of a variable of a file; None if there are two, or none."""
    prefix, slash, last = name.rpartition("/")
    hidden = prefix + slash + HIDDEN + last
    named, other = _dataset_at(path, name), _dataset_at(path, hidden)
    if named is None or _is_dimension_alone(named.dataset) != (other is not None):
        return None
    return Behind(name, named) if other is None else Behind(hidden, other)


def _dataset_at(path: str, name: str) -> OpenDataset | None:
    """Return a dataset of a file, or None if it has none of that name."""
    if name not in open_file(path).file:
        return None  # without an error, which would list all datasets
    try:
        return open_dataset(path, name)
    except VariableError:
        return None


def _is_dimension_alone(dataset: Any) -> bool:
    title = dataset.attrs.get("NAME", b"")
    title = title.encode() if isinstance(title, str) else bytes(title)
    return title.startswith(_NO_VARIABLE)
