"""Stores that tests of `biggus get` select from."""

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")

NUMBERS = np.arange(6 * 5 * 4, dtype="i4").reshape(6, 5, 4)
TEMPERATURES = np.ma.masked_greater(np.linspace(-3, 30, 35).reshape(5, 7), 25)


def write_stores(made):
    with h5py.File(made / "a.h5", "w") as file:
        file["numbers"] = NUMBERS
        file["floats"] = NUMBERS[0].astype("f8") / 7
        file["gaps"] = np.array([[0.5, np.nan], [np.inf, -1]])
        file["flags"] = NUMBERS[0] % 3 == 0
        file["picture"] = np.arange(6 * 5 * 3, dtype="u1").reshape(6, 5, 3)
        file["grey"] = np.arange(30, dtype="u1").reshape(6, 5)
        file["scalar"] = 3.5
        file["empty"] = np.zeros((0, 4), "f4")
        file["big endian"] = np.arange(4, dtype=">f8")
        file["words"] = np.array(["one", "zwölf", ""], dtype=h5py.string_dtype())
        file["complex"] = np.arange(3) * 1j
        file["halves"] = np.arange(3, dtype="f2") / 2
    with netCDF4.Dataset(made / "a.nc", "w") as dataset:
        for name, n in (("time", 3), ("y", 5), ("x", 7)):
            dataset.createDimension(name, n)
        packed = dataset.createVariable("t", "i2", ("time", "y", "x"), fill_value=-999)
        packed.scale_factor = 0.01
        packed.add_offset = np.float64(10)
        packed.units = "degree_C"
        packed.valid_min = np.int16(-5000)
        packed[:] = np.ma.stack([TEMPERATURES] * 3)
        counts = dataset.createVariable("counts", "u1", ("x",), fill_value=255)
        counts[:] = np.ma.masked_equal(np.arange(7, dtype="u1"), 3)


def decoded(folder):
    with netCDF4.Dataset(folder / "a.nc") as dataset:
        return dataset["t"][:]
