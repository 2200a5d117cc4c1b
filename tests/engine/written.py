"""Files of several formats with the same values, which can be overwritten in place."""

import numpy as np
import pytest

SHAPE = (4, 100, 125)
OLD = np.arange(np.prod(SHAPE), dtype="f8").reshape(SHAPE)
NEW = -2 * OLD - 1


def _npy(path):
    np.save(path, OLD)


def _hdf5(path, **keywords):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=OLD, **keywords)


def _virtual(path):
    h5py = pytest.importorskip("h5py")
    _hdf5(path.with_name("behind.h5"))
    layout = h5py.VirtualLayout(SHAPE, "f8")
    layout[...] = h5py.VirtualSource("behind.h5", "v", SHAPE)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("v", layout)


def _netcdf(path, chunks=None, kind="NETCDF4"):
    library = pytest.importorskip("netCDF4")
    with library.Dataset(path, "w", format=kind) as file:
        for name, n in zip("xyz", SHAPE, strict=True):
            file.createDimension(name, n)
        keywords = {} if chunks is None else {"chunksizes": chunks}
        file.createVariable("v", "f8", tuple("xyz"), **keywords)[:] = OLD


def _classic(path):
    _netcdf(path, kind="NETCDF3_64BIT_OFFSET")


def _zarr(path, zarr_format=3, **keywords):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(
        path, data=OLD, chunks=ROW, compressors=None, zarr_format=zarr_format, **keywords
    )


ROW = (1, *SHAPE[1:])
FORMATS = {
    "a.npy": _npy,
    "contiguous.h5": _hdf5,
    "chunked.h5": lambda path: _hdf5(path, chunks=ROW),
    "virtual.h5": _virtual,
    "contiguous.nc": _netcdf,
    "chunked.nc": lambda path: _netcdf(path, ROW),
    "classic.nc": _classic,
    "v3.zarr": _zarr,
    "v2.zarr": lambda path: _zarr(path, 2),
    "shards.zarr": lambda path: _zarr(path, shards=(2, *SHAPE[1:])),
}


def overwrite(path, values=NEW):
    """Overwrite the stored values row by row, in place."""
    where = (
        path.parent if path.is_file() else path
    )  # a virtual dataset's source is in the same folder
    files = [file for file in where.rglob("*") if file.is_file()]
    for file in files:
        stored = file.read_bytes()
        with file.open("rb+") as target:
            for row, old, new in zip(values, OLD, NEW, strict=True):
                for order in "<>":
                    for known in (old, new):
                        at = stored.find(known.astype(f"{order}f8").tobytes())
                        if at >= 0:
                            target.seek(at)
                            target.write(row.astype(f"{order}f8").tobytes())
