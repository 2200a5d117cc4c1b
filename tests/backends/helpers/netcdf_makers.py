"""NetCDF files of every format and kind of variable."""

from __future__ import annotations

import warnings

import netCDF4
import numpy as np

from biggus.backends.location import Location
from biggus.backends.netcdf.backend import NetCDFBackend

BACKEND = NetCDFBackend()
CLASSIC = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")
FORMATS = (*CLASSIC, "NETCDF4_CLASSIC", "NETCDF4")


def open_variable(path, name="v", **options):
    return BACKEND.open(Location(path), name, **options)


def names_of(path):
    return BACKEND.variables(Location(path))


def write(path, values, *, format="NETCDF4", unlimited=False, attributes=(), fill=None, **options):
    """Write one variable `v` to a temporary file, and rename it to `path`."""
    values = np.asarray(values)
    part = path.with_name(path.name + ".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about byte order
        with netCDF4.Dataset(part, "w", format=format) as dataset:
            names = [f"d{axis}" for axis in range(values.ndim)]
            for axis, (name, n) in enumerate(zip(names, values.shape, strict=True)):
                dataset.createDimension(name, None if unlimited and axis == 0 else n)
            if values.dtype.byteorder == ">" and format == "NETCDF4":
                options["endian"] = "big"
            variable = dataset.createVariable("v", values.dtype, names, fill_value=fill, **options)
            for name, value in dict(attributes).items():
                variable.setncattr(name, value)
            variable.set_auto_maskandscale(False)
            if values.size:
                variable[...] = values
    part.replace(path)
    return path


def write_types(path):
    """Write a NetCDF-4 file with variables of every kind, in groups too."""
    with netCDF4.Dataset(path, "w") as dataset:
        for name, n in {"x": 3, "n": 4, "none": 0, "grows": None}.items():
            dataset.createDimension(name, n)
        for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
            variable = dataset.createVariable(f"of_{dtype}", dtype, ("x",))
            variable.set_auto_maskandscale(False)
            variable[:] = [0, 1, np.array(netCDF4.default_fillvals[dtype], dtype)]
        dataset.createVariable("scalar", "f4", ())[...] = 2.5
        dataset.createVariable("empty", "i2", ("x", "none"))
        dataset.createVariable("grown", "i2", ("grows", "x"))
        dataset.createVariable("big", ">f8", ("x",), endian="big")[:] = [1, 2, 3]

        colours = dataset.createEnumType("u1", "colours", {"red": 0, "green": 1, "none": 255})
        variable = dataset.createVariable("enum", colours, ("x",), fill_value=255)
        variable[:] = [0, 1, 255]
        pair = np.dtype([("number", "i2"), ("text", "S1", (4,)), ("value", "f8")])
        compound = dataset.createCompoundType(pair, "pair")
        variable = dataset.createVariable("compound", compound, ("x",))
        values = np.zeros(3, pair)
        values["number"], values["value"] = [1, 2, 3], [0.5, np.nan, -1]
        values["text"][:] = np.array([list("abcd"), list("ef  "), list("ghi ")], "S1")
        variable[:] = values
        ragged = dataset.createVLType("i4", "ragged")
        variable = dataset.createVariable("ragged_rows", ragged, ("x",))
        for i in range(3):
            variable[i] = np.arange(i, dtype="i4")
        dataset.createVariable("ragged_row", ragged, ())[...] = np.array([7, 8, 9], "i4")
        variable = dataset.createVariable("strings", str, ("x",))
        variable[0], variable[1] = "é", "two words"
        dataset.createVariable("string", str, ())[...] = "hello"

        letters = np.array([list("ab\0\0"), list("cdef"), list("\0\0\0\0")], "S1")
        dataset.createVariable("letters", "S1", ("x", "n"))[:] = letters
        for encoding in ("utf-8", "ascii", "none"):
            variable = dataset.createVariable(f"text_{encoding}", "S1", ("x", "n"))
            variable[:] = letters
            variable._Encoding = encoding
        variable = dataset.createVariable("word", "S1", ("n",))
        variable[:] = letters[1]
        variable._Encoding = "ascii"
        variable = dataset.createVariable("letter", "S1", ())
        variable[...] = "q"
        variable._Encoding = "ascii"
        dataset.createVariable("no_text", "S1", ("x", "none"))._Encoding = "ascii"

        group = dataset.createGroup("outer/inner")
        group.createDimension("y", 5)
        group.createVariable("deep", "i8", ("x", "y"), chunksizes=(2, 5))[:] = 7
        dataset["outer"].createVariable("deep", "i2", ("x",))[:] = 1
    return path
