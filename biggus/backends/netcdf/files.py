"""Open netCDF datasets in a bounded pool, one for each file as long as it does not change."""

from __future__ import annotations

import logging
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.files import HandlePool
from biggus.backends.hdf5.attribute_checks import check_all_attributes
from biggus.backends.hdf5.heaps import HeapError, check_heaps, start_of
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.classic import MARKS, HeaderError, shortfall
from biggus.backends.netcdf.h5py_files import opened_briefly
from biggus.backends.netcdf.refused import (
    check_floats,
    may_have_other_floats,
    omission,
    refusal,
)
from biggus.backends.settling import settled_signature
from biggus.errors import OpenError, VariableError
from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.backends.signature import FileSignature

log = logging.getLogger("biggus.backends.netcdf")

_MOST_CHECKED = 2**14
"""The most files that are remembered to be sound."""


@lru_cache(maxsize=1)
def netcdf4() -> Any:
    """Return the module netCDF4, imported on first use.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    with hdf5_lock, needing("netCDF4", "netcdf", "reading netCDF files"):
        import netCDF4
    return netCDF4


class OpenNetCDF(NamedTuple):
    """An open dataset and the signature of its file."""

    dataset: Any
    signature: FileSignature


# By path; held by each source, and visited by every other user.
datasets: HandlePool[OpenNetCDF] = HandlePool(lambda opened: opened.dataset.close(), hdf5_lock)
hdf5_lock.close_at_forks(datasets.clear)


def dataset_at(path: str) -> Any:
    """Return the open netCDF4 Dataset of a file, as `opened_at` does."""
    return opened_at(path).dataset


def opened_at(path: str) -> OpenNetCDF:
    """Return the open dataset of the file that is at `path` now.  The caller holds the lock.

    The caller also holds or visits it in `datasets`; otherwise it may be closed.

    Raises
    ------
    GoneError
        If there is no file.
    OpenError
        If it is not a netCDF file, or is incomplete.
    """
    signature = settled_signature(path)
    try:
        opened = datasets.get(path, lambda: _open(path, signature))
        if opened.signature != signature:
            # The library identifies an open file by its inode: close the old handle first.
            log.debug("%s has changed: opening it again", path)
            datasets.discard(path)
            opened = datasets.get(path, lambda: _open(path, signature))
    except OpenError:
        raise
    except OSError as error:
        raise OpenError(path, error.strerror or str(error)) from error
    return opened


def _open(path: str, signature: FileSignature) -> OpenNetCDF:
    library = netcdf4()
    # Raises errors that the library does not: the reason why the file cannot be opened, and
    # that a classic file is truncated, from which the library reads zeros.
    _check_whole(path, signature)
    try:
        with warnings.catch_warnings():
            # netCDF4-python warns of variables of unknown types, which it leaves out.
            warnings.simplefilter("ignore")
            dataset = library.Dataset(path, "r")
    except (OSError, RuntimeError, UnicodeError, KeyError, ValueError, AttributeError) as error:
        if isinstance(error, OSError) and (error.errno or 0) > 0:
            raise
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise OpenError(path, f"{reason}; {refusal(path)}") from error
    dataset.set_auto_maskandscale(False)
    dataset.set_auto_chartostring(False)
    log.debug("opened %s (%s)", path, dataset.data_model)
    return OpenNetCDF(dataset, signature)


def _check_whole(path: str, signature: FileSignature) -> None:
    """Raise an OpenError if a classic file is cut short, or one of either kind is damaged."""
    data = start_of(path, signature.size)
    if data[:4] not in MARKS:
        if not check_heaps(path, signature.size, data) or may_have_other_floats(data):
            _check_objects(path, signature)
        return
    try:
        missing = shortfall(Path(path))
    except HeaderError as error:
        raise OpenError(path, str(error)) from error
    if missing:
        raise OpenError(path, f"the file is cut short: {missing} bytes are missing at its end")


@lru_cache(_MOST_CHECKED)
def _check_objects(path: str, signature: FileSignature) -> None:  # noqa: ARG001 - of the cache
    """Raise an OpenError if the library would hang or crash; an unchanged file is checked once."""
    with opened_briefly(path) as file:
        if file is not None:
            try:
                check_all_attributes(file)
                check_floats(path, file)
            except HeapError as error:
                raise OpenError(path, f"it is damaged: {error}") from error


def names_in(group: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all variables below a group, those in groups with their path."""
    for name in group.variables:
        yield prefix + name
    for name, inner in group.groups.items():
        yield from names_in(inner, f"{prefix}{name}/")


def variable_in(dataset: Any, path: str, name: str) -> Any:
    """Return the variable called `name` of the dataset that was opened from `path`.

    The caller holds the lock.

    Raises
    ------
    VariableError
        If there is none.
    """
    variable = known_in(dataset, name)
    if variable is None:
        available = tuple(names_in(dataset))
        problem = f"it has no variable {name!r}{omission(path, name)}"
        raise VariableError(path, problem, available)
    return variable


def is_open(variable: Any) -> bool:
    """Return whether the dataset of a variable is open.

    The library reuses the number of a closed dataset for the next one: without this check values
    of another file could be read.
    """
    try:
        group = variable.group()
        while group.parent is not None:  # only the root knows
            group = group.parent
        return bool(group.isopen())
    except ReferenceError:
        return False


def known_in(dataset: Any, name: str) -> Any:
    """Return the variable called `name` of a dataset; None if there is none."""
    *groups, last = name.split("/")
    group = dataset
    for part in groups:
        group = group.groups.get(part)
        if group is None:
            return None
    return group.variables.get(last)
