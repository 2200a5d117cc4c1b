"""The conformance suite over every backend, plain and within each wrapper."""

import threading
from typing import ClassVar

import numpy as np
import pytest

from biggus.backends import Location, backend_named
from biggus.cache import Cache
from biggus.errors import GoneError
from biggus.source import ObjectSource
from biggus.testing import RecordingSource, SourceTests

NUMBERS = ("f8", "i1", "u8", "f4", "f2", "?", "c16")
EMPTY = ((0,), (3, 0, 2))


class NpyFile:
    """A user's class as simple as can be: it reads a file when it is asked."""

    def __init__(self, path):
        self.path = path
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            self.shape, _, self.dtype = np.lib.format.read_array_header_1_0(file)

    def __getitem__(self, box):
        return np.load(self.path)[box]


class UserObject(SourceTests):
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = (*NUMBERS, ">i4", "M8[s]", "S3", "<U4", "i4,f8,S2")
    # The user's token says that nothing changes.
    rewrites = False
    # A class of a test module cannot be found by another process.
    pickles = False

    def store(self, values, folder):
        np.save(folder / "values.npy", values)

    def open(self, folder):
        path = folder / "values.npy"
        try:
            obj = NpyFile(path)
        except FileNotFoundError:
            raise GoneError(str(path), "there is no such file") from None
        return ObjectSource(obj, token=f"npy:{path}", lock=threading.Lock())


class HDF5(SourceTests):
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = (*NUMBERS, ">i4", ">f4", "S3", "i4,f8,S2")
    options: ClassVar = {}

    def store(self, values, folder):
        h5py = pytest.importorskip("h5py")
        options = self.options if values.size and values.shape else {}
        # Another file in its place: libhdf5 truncates none that it has open.
        (folder / "values.h5").unlink(missing_ok=True)
        with h5py.File(folder / "values.h5", "w") as file:
            file.create_dataset("group/values", data=values, **options)

    def open(self, folder):
        return backend_named("hdf5").open(Location(folder / "values.h5"), "group/values")


class HDF5Chunked(HDF5):
    options: ClassVar = {"chunks": True, "compression": "gzip", "shuffle": True}


class Zarr3(SourceTests):
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = NUMBERS
    root: ClassVar = {"zarr_format": 3}
    options: ClassVar = {}

    def chunks(self, values):
        return tuple(max(1, (n + 1) // 2) for n in values.shape)

    def target(self, folder):
        return folder / "store.zarr"

    def store(self, values, folder):
        zarr = pytest.importorskip("zarr")
        root = zarr.open_group(self.target(folder), mode="w", **self.root)
        array = root.create_array(
            "group/values",
            shape=values.shape,
            dtype=values.dtype,
            chunks=self.chunks(values),
            **self.options,
        )
        array[...] = values

    def open(self, folder):
        return backend_named("zarr").open(Location(self.target(folder)), "group/values")


class Zarr2(Zarr3):
    dtypes = (*NUMBERS, ">i4", ">f4", "S3", "<U4", "M8[s]")
    root: ClassVar = {"zarr_format": 2}


class Zarr3Sharded(Zarr3):
    shapes = ((4,), (6, 8))
    dtypes = ("f8", "u2")

    def store(self, values, folder):
        self.options = {"shards": tuple(n // 2 * 2 for n in values.shape)}
        super().store(values, folder)

    def chunks(self, values):
        return tuple(n // 2 for n in values.shape)


class ZarrZip(Zarr3):
    shapes = ((7,), (5, 6))

    def target(self, folder):
        return folder / "store.zip"

    def store(self, values, folder):
        zarr = pytest.importorskip("zarr")
        with zarr.storage.ZipStore(self.target(folder), mode="w") as store:
            root = zarr.open_group(store, mode="w", zarr_format=3)
            array = root.create_array(
                "group/values", shape=values.shape, dtype=values.dtype, chunks=self.chunks(values)
            )
            array[...] = values


class NetCDFBase(SourceTests):
    dtypes = ("f8", "i1", "u1", "i2", "i4", "f4")
    format = "NETCDF4"

    def store(self, values, folder):
        netCDF4 = pytest.importorskip("netCDF4")
        (folder / "values.nc").unlink(missing_ok=True)
        with netCDF4.Dataset(folder / "values.nc", "w", format=self.format) as file:
            dims = [f"dim{axis}" for axis in range(values.ndim)]
            for dim, n in zip(dims, values.shape, strict=True):
                file.createDimension(dim, n)
            variable = file.createVariable("values", values.dtype, dims, fill_value=False)
            variable.units = "m"
            variable.set_auto_maskandscale(False)
            variable[...] = values

    def open(self, folder):
        return backend_named("netcdf").open(Location(folder / "values.nc"), "values")


class NetCDF4(NetCDFBase):
    dtypes = (*NetCDFBase.dtypes, "u2", "u4", "i8", "u8")


class NetCDFClassic(NetCDFBase):
    dtypes = ("f8", "i1", "i2", "i4", "f4")
    format = "NETCDF3_CLASSIC"


class Recorded:
    def open(self, folder):
        return RecordingSource(super().open(folder))


class Cached:
    """Cached in a folder that outlives what is stored."""

    survives = True

    def open(self, folder):
        return Cache(folder.parent / "cache").wrap(super().open(folder))


STORES = [
    UserObject,
    HDF5,
    HDF5Chunked,
    Zarr2,
    Zarr3,
    Zarr3Sharded,
    ZarrZip,
    NetCDF4,
    NetCDFClassic,
]

for store in STORES:
    for wrappers in ((), (Recorded,), (Cached,)):
        name = "Test" + "".join(cls.__name__ for cls in (*wrappers, store))
        globals()[name] = type(name, (*wrappers, store), {"__module__": __name__})
