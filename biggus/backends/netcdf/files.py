"""Open netCDF datasets: one a file, in a bounded pool, as long as the file stays the same."""

from __future__ import annotations

import logging
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.files import HandlePool
from biggus.backends.hdf5.heaps import HeapError, check_heaps
from biggus.backends.hdf5.vetted import check_all_attributes
from biggus.backends.native import guard_forks, hdf5_lock
from biggus.backends.netcdf.beside import opened_briefly
from biggus.backends.netcdf.classic import MARKS, HeaderError, shortfall
from biggus.backends.netcdf.refused import omission, refusal
from biggus.backends.settling import settled_signature
from biggus.errors import OpenError, VariableError
from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.backends.signature import FileSignature

log = logging.getLogger("biggus.backends.netcdf")


@lru_cache(maxsize=1)
def netcdf4() -> Any:
    """Return the module netCDF4, imported on first use.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    with needing("netCDF4", "netcdf", "reading netCDF files"), hdf5_lock:
        import netCDF4
    guard_forks()
    return netCDF4


class OpenNetCDF(NamedTuple):
    """An open dataset and the file that it is of."""

    dataset: Any
    signature: FileSignature


# Held by path: by each source, and for the time of every other use.
datasets: HandlePool[OpenNetCDF] = HandlePool(lambda opened: opened.dataset.close(), hdf5_lock)


def dataset_at(path: str) -> Any:
    """Return the dataset of what `opened_at` returns."""
    return opened_at(path).dataset


def opened_at(path: str) -> OpenNetCDF:
    """Return the open dataset of the file that is at `path` now.  The caller holds the lock.

    The caller holds it in `datasets` too, or visits it: it is closed when nobody does.

    Raises
    ------
    GoneError
        If there is no file.
    OpenError
        If it is no netCDF file, or is not all there.
    """
    signature = settled_signature(path)
    try:
        opened = datasets.get(path, lambda: _open(path, signature))
        if opened.signature != signature:
            # The library knows an open file by its inode: the old handle must go first.
            log.debug("%s has changed: opening it anew", path)
            datasets.discard(path)
            opened = datasets.get(path, lambda: _open(path, signature))
    except OpenError:
        raise
    except OSError as error:
        raise OpenError(path, error.strerror or str(error)) from error
    return opened


def _open(path: str, signature: FileSignature) -> OpenNetCDF:
    library = netcdf4()
    # Looking into the file first tells what the library cannot: why the system
    # refuses it, and that a classic file is cut short, where it reads zeros.
    _check_whole(Path(path), signature.size)
    try:
        with warnings.catch_warnings():
            # Variables of types that it does not know are left out, with a warning.
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


def _check_whole(path: Path, size: int) -> None:
    """Raise an OpenError if a classic file is cut short, or one of either kind is damaged."""
    with path.open("rb", buffering=0) as file:
        classic = file.read(4) in MARKS
    if not classic:
        _check_hdf5(str(path), size)
        return
    try:
        missing = shortfall(path)
    except HeaderError as error:
        raise OpenError(str(path), str(error)) from error
    if missing:
        raise OpenError(str(path), f"the file is cut short: {missing} bytes are missing at its end")


def _check_hdf5(path: str, size: int) -> None:
    if check_heaps(path, size):
        return
    with opened_briefly(path) as file:
        if file is not None:
            try:
                check_all_attributes(file)
            except HeapError as error:
                raise OpenError(path, f"it is damaged: {error}") from error


def names_in(group: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of all variables below a group, those of groups with their path."""
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
    found = known_in(dataset, name)
    if found is None:
        available = tuple(names_in(dataset))
        problem = f"it has no variable {name!r}{omission(path, name)}"
        raise VariableError(path, problem, available)
    return found


def is_open(variable: Any) -> bool:
    """Tell whether the dataset that a variable is of is open.

    The library gives the number of a closed dataset to the next one that is opened: who does
    not ask comes to values of another file.
    """
    try:
        group = variable.group()
        while group.parent is not None:  # a group knows nothing of it
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
