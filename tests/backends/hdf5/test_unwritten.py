"""Strings of variable length in chunks that were never written."""

from __future__ import annotations

import numpy as np
import pytest

import biggus

h5py = pytest.importorskip("h5py")

WRITTEN = [((0, 0), "a"), ((3, 4), "é"), ((6, 2), "")]
KEYS = [np.s_[:], np.s_[::-1, 1:], np.s_[::3, ::2], np.s_[2:3, 3:4], np.s_[[0, 6, 3], 4]]


@pytest.mark.parametrize("most", [None, (None, 5), (7, None), (None, None)], ids=str)
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("fill", [None, "", "none", "é"])
def test_unwritten_strings_of_hdf5(tmp_path, fill, compression, most):
    expected = np.full((7, 5), fill or "", object)
    with h5py.File(tmp_path / "a.h5", "w", libver="latest" if most else None) as file:
        made = file.create_dataset(
            *("v", (7, 5), h5py.string_dtype()),
            chunks=(2, 3),
            maxshape=most,
            fillvalue=fill,
            compression=compression,
        )
        for place, text in WRITTEN:
            made[place] = expected[place] = text
    lazy = biggus.open(tmp_path / "a.h5", "v")
    for key in KEYS:
        assert lazy[key].ndarray().tolist() == expected[key].tolist()
    with h5py.File(tmp_path / "a.h5") as file:
        adapted = biggus.ArrayAdapter(file["v"])
        assert adapted.ndarray().tolist() == expected.tolist()


@pytest.mark.parametrize("fill", [None, "none"])
def test_unwritten_strings_of_netcdf(tmp_path, fill):
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", None)
        file.createDimension("x", 5)
        names = file.createVariable("names", str, ("time", "x"), fill_value=fill)
        for place, text in WRITTEN:
            names[place] = text
        expected = names[:]
    lazy = biggus.open(tmp_path / "a.nc", "names")
    for key in KEYS:
        assert lazy[key].ndarray().tolist() == expected[key].tolist()
