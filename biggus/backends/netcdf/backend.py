"""The netCDF backend: classic and NetCDF-4 files through netCDF4-python.

A file is open no longer than there is a source over it.  While it is, other
processes cannot write to a NetCDF-4 file where the file system has locks; that
is as well, for a file that is being written can read as zeros.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, ClassVar

from biggus.backends.base import Backend
from biggus.backends.location import holds_hdf5
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.classic import MARKS
from biggus.backends.pieces import opening_named
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.backends.base import Choice, RecordedGroup, SourceRecord
    from biggus.backends.location import Location
    from biggus.sources.base import Source

_SUFFIXES = {".nc", ".nc4", ".cdf"}


class NetCDFBackend(Backend):
    """Reads netCDF files: CDF-1, CDF-2, CDF-5 and NetCDF-4."""

    name: ClassVar[str] = "netcdf"
    modules: ClassVar[tuple[str, ...]] = ("netCDF4",)
    decodes: ClassVar[bool] = True

    def claims(self, location: Location) -> int:
        """Tell how sure it is: by the first bytes, or by the suffix."""
        if location.scheme or location.is_directory:
            return self.UNCLAIMED
        head, named = location.known_head, location.suffix in _SUFFIXES
        if head.startswith(MARKS):
            return self.BY_MARK
        if holds_hdf5(head) and (named or b"_NCProperties" in head):
            return self.BY_MARK
        return self.BY_SUFFIX if named else self.UNCLAIMED

    def variables(self, location: Location) -> tuple[str, ...]:  # type: ignore[override]
        """List the variables, those of groups with the path of their group.

        Raises
        ------
        OpenError
            If it is no netCDF file, or is damaged; `GoneError` if it is not there.
        """
        with between_forks():
            from biggus.backends.netcdf.files import dataset_at, datasets, names_in

        path = os.path.realpath(location.path)
        with hdf5_lock, datasets.visit(path), opening_named(str(location.path)):
            return tuple(names_in(dataset_at(path)))

    def open(  # type: ignore[override]
        self, location: Location, variable: str, *, decode: bool = True
    ) -> Source:
        """Return the source of one variable, which gives its values as they are packed.

        Parameters
        ----------
        location : Location
            A local file.
        variable : str
            A name, or ``"group/name"``.
        decode : bool
            Whether characters with an ``_Encoding`` come as strings, without the last
            axis.  Other values are as they are stored in any case, to be decoded by
            the CF conventions, as the source says in its ``conventions``.

        Raises
        ------
        OpenError
            If it is no netCDF file, or is damaged; `GoneError` if it is not there.
        VariableError
            If it has no such variable.
        """
        with between_forks():
            from biggus.backends.netcdf.source import NetCDFSource

        return NetCDFSource(str(location.path), variable, decode=decode)

    def attributes(self, location: Location, group: str, **options: Any) -> dict[str, Any]:
        with between_forks():
            from biggus.backends.netcdf.files import dataset_at, datasets
            from biggus.backends.netcdf.packed import attributes_of

        path = os.path.realpath(location.path)
        with hdf5_lock, datasets.visit(path), opening_named(str(location.path)):
            found = dataset_at(path)
            for part in filter(None, group.split("/")):
                found = found.groups.get(part)
                if found is None:
                    return {}
            return attributes_of(found)

    def records(  # type: ignore[override]  # it names its options
        self, locations: Sequence[Location], group: str, wanted: Choice, *, decode: bool = True
    ) -> list[RecordedGroup | None]:
        with between_forks():
            from biggus.backends.netcdf.recorded import records_of
        return records_of([each.real_path for each in locations], group, wanted, decode)

    def recalled(self, location: Location, variable: str, record: SourceRecord) -> Source:
        with between_forks():
            from biggus.backends.netcdf.recorded import recalled
        return recalled(location.real_path, variable, record)

    @contextlib.contextmanager
    def visit(self, location: Location, **options: Any) -> Iterator[None]:
        with between_forks():
            from biggus.backends.hdf5.files import files
            from biggus.backends.netcdf.dimensions import asked_once
            from biggus.backends.netcdf.files import datasets

        path = os.path.realpath(location.path)
        with asked_once(), datasets.visit(path), files.visit(path):  # for h5py reads it too
            yield

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return what decides on the values: a variable may be named with a leading slash."""
        name = None if variable is None else variable.strip("/")
        return super().identity(location, name, **options)

    def adopt(self, obj: Any) -> Source | None:
        """Return a source for a netCDF4 Variable, which is read through its own dataset.

        Raises
        ------
        TypeError
            If it is a Dataset, or a variable of an MFDataset.
        """
        with between_forks():
            from biggus.backends.netcdf.files import netcdf4
            from biggus.backends.netcdf.source import HeldSource

        library = netcdf4()
        if isinstance(obj, library.Variable):
            return HeldSource(obj)
        if isinstance(obj, library.Dataset):
            raise TypeError("a netCDF4 Dataset is no array; give one of its variables")
        if hasattr(obj, "_mastervar"):
            raise TypeError(
                "a variable of an MFDataset is not taken; join its files with "
                "biggus.open_many(paths, variable)"
            )
        return None
