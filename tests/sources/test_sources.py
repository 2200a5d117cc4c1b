"""The conformance suite for every backend, plain and within each wrapper."""

import threading
from typing import ClassVar

import numpy as np
import pytest
from numpy_keys import advanced_keys

import biggus
from biggus.backends import Location, backend_named
from biggus.cache import Cache
from biggus.errors import GoneError
from biggus.sources.wrappers import ObjectSource
from biggus.testing import RecordingSource, SourceTests, assert_same

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")

NUMBERS = ("f8", "i1", "u8", "f4", "f2", "?", "c16")
EMPTY = ((0,), (3, 0, 2))


class NpyFile:
    """A minimal user's class that reads a file on each access."""

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


class OnDisk(SourceTests):
    """A store that a backend of biggus opens."""

    variable = "group/values"

    def target(self, folder):
        return folder / self.file

    def open(self, folder):
        return backend_named(self.backend).open(Location(self.target(folder)), self.variable)

    def decoded(self, values, folder):
        """Return the values that `biggus.open` must give, decoded by the format's library."""
        return values


class HDF5(OnDisk):
    backend = "hdf5"
    file = "values.h5"
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = (*NUMBERS, ">i4", ">f4", "S3", "i4,f8,S2")
    options: ClassVar = {}

    def store(self, values, folder):
        h5py = pytest.importorskip("h5py")
        options = self.options if values.size and values.shape else {}
        # Remove the file first: libhdf5 does not truncate a file that it has open.
        self.target(folder).unlink(missing_ok=True)
        with h5py.File(self.target(folder), "w") as file:
            file.create_dataset("group/values", data=values, **options)


class HDF5Chunked(HDF5):
    options: ClassVar = {"chunks": True, "compression": "gzip", "shuffle": True}


class Npy(OnDisk):
    backend = "npy"
    file = "values.npy"
    variable = "values"
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = (*NUMBERS, ">i4", ">f2", "g", "G", "M8[25s]", ">m8[h]", "S3", ">U4", "V3", "i4,f8,S2")

    def store(self, values, folder):
        np.save(self.target(folder), values)


class NpyFortran(Npy):
    """Arrays in Fortran order."""

    dtypes = ("f8", ">i2", "U3", "i4,f8,S2")

    def store(self, values, folder):
        super().store(np.asarray(values, order="F"), folder)


class Zarr3(OnDisk):
    backend = "zarr"
    file = "store.zarr"
    shapes = (*SourceTests.shapes, *EMPTY)
    dtypes = NUMBERS
    root: ClassVar = {"zarr_format": 3}
    options: ClassVar = {}

    def chunks(self, values):
        return tuple(max(1, (n + 1) // 2) for n in values.shape)

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
    file = "store.zip"
    shapes = ((7,), (5, 6))

    def store(self, values, folder):
        zarr = pytest.importorskip("zarr")
        with zarr.storage.ZipStore(self.target(folder), mode="w") as store:
            root = zarr.open_group(store, mode="w", zarr_format=3)
            array = root.create_array(
                "group/values", shape=values.shape, dtype=values.dtype, chunks=self.chunks(values)
            )
            array[...] = values


class NetCDFBase(OnDisk):
    backend = "netcdf"
    file = "values.nc"
    variable = "values"
    dtypes = ("f8", "i1", "u1", "i2", "i4", "f4")
    format = "NETCDF4"
    attributes: ClassVar = {"units": "m"}

    def store(self, values, folder):
        netCDF4 = pytest.importorskip("netCDF4")
        self.target(folder).unlink(missing_ok=True)
        with netCDF4.Dataset(self.target(folder), "w", format=self.format) as file:
            dims = [f"dim{axis}" for axis in range(values.ndim)]
            for dim, n in zip(dims, values.shape, strict=True):
                file.createDimension(dim, n)
            variable = file.createVariable("values", values.dtype, dims, fill_value=False)
            variable.setncatts(self.attributes)
            variable.set_auto_maskandscale(False)
            variable[...] = values

    def decoded(self, values, folder):
        netCDF4 = pytest.importorskip("netCDF4")
        with netCDF4.Dataset(self.target(folder)) as file:
            file.set_always_mask(True)
            return file["values"][...]


class NetCDF4(NetCDFBase):
    dtypes = (*NetCDFBase.dtypes, "u2", "u4", "i8", "u8")


class NetCDFClassic(NetCDFBase):
    dtypes = ("f8", "i1", "i2", "i4", "f4")
    format = "NETCDF3_CLASSIC"


class NetCDFPacked(NetCDFClassic):
    """Packed values, which the source returns as stored."""

    dtypes = ("i2", "i1")
    shapes = ((3, 4, 5), (7,))
    attributes: ClassVar = {
        "scale_factor": np.float32(0.01),
        "add_offset": np.float32(273.15),
        "missing_value": np.int16(0),
        "valid_min": np.int16(-30000),
    }

    def test_packing_is_described(self, tmp_path):
        source, _, _ = self._new(tmp_path)
        assert source.conventions == "CF"
        assert source.attributes["scale_factor"] == np.float32(0.01)


class Recorded:
    def open(self, folder):
        return RecordingSource(super().open(folder))


class Cached:
    """Cached in a folder that outlives the store."""

    survives = True

    def open(self, folder):
        return Cache(folder.parent / "cache").wrap(super().open(folder))


STORES = [
    UserObject,
    HDF5,
    HDF5Chunked,
    Npy,
    NpyFortran,
    Zarr2,
    Zarr3,
    Zarr3Sharded,
    ZarrZip,
    NetCDF4,
    NetCDFClassic,
    NetCDFPacked,
]

WRAPPED = [UserObject, HDF5Chunked, NpyFortran, Zarr3Sharded, NetCDFPacked]
"""The stores that differ for a wrapper: no backend, chunks, Fortran order, shards, decoding."""

for store in STORES:
    for wrappers in ((), (Recorded,), (Cached,)) if store in WRAPPED else ((),):
        name = "Test" + "".join(cls.__name__ for cls in (*wrappers, store))
        namespace = {"__module__": __name__}
        if wrappers and store not in (UserObject, HDF5Chunked):
            namespace["test_reads_in_other_processes"] = None  # as for the others
        globals()[name] = type(name, (*wrappers, store), namespace)


@pytest.mark.parametrize("store", [store for store in STORES if issubclass(store, OnDisk)])
def test_opened_arrays_index_as_numpy_does(store, tmp_path):
    """From the store to the values of any NumPy key, through the cache and past it."""
    hypothesis = pytest.importorskip("hypothesis")
    suite = store()
    shape = max(suite.shapes, key=np.prod)
    values = suite.values(shape, suite.dtypes[0])
    suite.store(values, tmp_path)
    expected = suite.decoded(values, tmp_path)
    data, mask = np.ma.getdata(expected), np.ma.getmaskarray(expected)
    where = suite.target(tmp_path), suite.variable
    arrays = [biggus.open(*where), biggus.open(*where, cache=Cache(tmp_path / "cache"))]

    @hypothesis.settings(deadline=None, database=None)
    @hypothesis.given(advanced_keys(shape, invalid=False))
    def check(key):
        # Index data and mask, as 0-d results of masked arrays differ.
        right = np.ma.array(np.asarray(data[key]), mask=mask[key])
        for array in arrays:
            got = array[key]
            assert got.shape == right.shape
            assert_same(np.ma.asanyarray(got.masked_array()), right)

    check()
