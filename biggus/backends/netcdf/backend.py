"""The netCDF backend: classic and NetCDF-4 files, through netCDF4-python.

A file is open only as long as there is a source over it.  Meanwhile, on file systems with locks,
other processes cannot write to a NetCDF-4 file; a file that is being written could read as zeros.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from biggus.backends.base import Backend, Choice, RecordedGroup, SourceRecord
from biggus.backends.hdf5.files import files
from biggus.backends.location import Location, holds_hdf5
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.classic import MARKS
from biggus.backends.netcdf.dimensions import asked_once
from biggus.backends.netcdf.files import dataset_at, datasets, names_in, netcdf4
from biggus.backends.netcdf.packed import attributes_of
from biggus.backends.netcdf.recorded import recalled, records_of
from biggus.backends.netcdf.source import HeldSource, NetCDFSource
from biggus.backends.pieces import opening_named
from biggus.sources.base import Source

_SUFFIXES = {".nc", ".nc4", ".cdf"}


class NetCDFBackend(Backend):
    """Reads netCDF files: CDF-1, CDF-2, CDF-5 and NetCDF-4."""

    name: ClassVar[str] = "netcdf"
    modules: ClassVar[tuple[str, ...]] = ("netCDF4",)
    decodes: ClassVar[bool] = True

    def claims(self, location: Location) -> int:
        """Claim files by their first bytes or their suffix."""
        if location.scheme or location.is_directory:
            return self.UNCLAIMED
        head, named = location.known_head, location.suffix in _SUFFIXES
        if head.startswith(MARKS):
            return self.BY_MARK
        if holds_hdf5(head) and (named or b"_NCProperties" in head):
            return self.BY_MARK
        return self.BY_SUFFIX if named else self.UNCLAIMED

    def variables(self, location: Location) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the variables, those in groups with the path of their group.

        Raises
        ------
        OpenError
            If it is not a netCDF file, or damaged; `GoneError` if it does not exist.
        """
        path = os.path.realpath(location.path)
        with hdf5_lock, datasets.visit(path), opening_named(str(location.path)):
            return tuple(names_in(dataset_at(path)))

    def open(  # type: ignore[override]
        self, location: Location, variable: str, *, decode: bool = True
    ) -> Source:
        """Return the source of one variable, with packed values.

        Parameters
        ----------
        location : Location
            A local file.
        variable : str
            A name, or ``"group/name"``.
        decode : bool
            Whether characters with an ``_Encoding`` become strings, without the last axis.  Other
            values are always as stored, to be decoded by the CF conventions, which the source
            declares by its ``conventions``.

        Raises
        ------
        OpenError
            If it is not a netCDF file, or damaged; `GoneError` if it does not exist.
        VariableError
            If it has no such variable.
        """
        return NetCDFSource(str(location.path), variable, decode=decode)

    def attributes(self, location: Location, group: str, **options: Any) -> dict[str, Any]:
        path = os.path.realpath(location.path)
        with hdf5_lock, datasets.visit(path), opening_named(str(location.path)):
            item = dataset_at(path)
            for part in filter(None, group.split("/")):
                item = item.groups.get(part)
                if item is None:
                    return {}
            return attributes_of(item)

    def records(  # type: ignore[override]  # with named options
        self, locations: Sequence[Location], group: str, wanted: Choice, *, decode: bool = True
    ) -> list[RecordedGroup | None]:
        return records_of([each.real_path for each in locations], group, wanted, decode)

    def recalled(self, location: Location, variable: str, record: SourceRecord) -> Source:
        return recalled(location.real_path, variable, record)

    @contextlib.contextmanager
    def visit(self, location: Location, **options: Any) -> Iterator[None]:
        path = os.path.realpath(location.path)
        with asked_once(), datasets.visit(path), files.visit(path):  # h5py opens it too
            yield

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the identity of the values; a leading slash of a name does not count."""
        name = None if variable is None else variable.strip("/")
        return super().identity(location, name, **options)

    def adopt(self, obj: Any) -> Source | None:
        """Return a source for a netCDF4 Variable, which is read through its own dataset.

        Raises
        ------
        TypeError
            If it is a Dataset, or a variable of an MFDataset.
        """
        library = netcdf4()
        if isinstance(obj, library.Variable):
            return HeldSource(obj)
        if isinstance(obj, library.Dataset):
            raise TypeError("a netCDF4 Dataset is not an array; give one of its variables")
        if hasattr(obj, "_mastervar"):
            raise TypeError(
                "a variable of an MFDataset is not supported; join its files with "
                "`biggus.open_many`"
            )
        return None
