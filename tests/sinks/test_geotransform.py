"""The origin and the steps of a saved part of a grid, as GDAL reads them."""

from __future__ import annotations

import numpy as np
import pytest

import biggus

netCDF4 = pytest.importorskip("netCDF4")

PARTS = {
    "whole": (lambda v: v, "0.0 10.0 0.0 40.0 0.0 -10.0"),
    "one time": (lambda v: v[0], "0.0 10.0 0.0 40.0 0.0 -10.0"),
    "corner": (lambda v: v[:, 1:, 2:], "20.0 10.0 0.0 30.0 0.0 -10.0"),
    "every second": (lambda v: v[..., ::2], "-5.0 20.0 0.0 40.0 0.0 -10.0"),
    "one cell": (lambda v: v[:, 1:2, 2:3], "20.0 10.0 0.0 30.0 0.0 -10.0"),
    "coarse": (lambda v: biggus.coarsen(v, {"y": 2, "x": 2}), "0.0 20.0 0.0 40.0 0.0 -20.0"),
    "upside down": (lambda v: v[:, ::-1], "0.0 10.0 0.0 40.0 0.0 -10.0"),
    "transposed": (lambda v: v.transpose(0, 2, 1), "0.0 10.0 0.0 40.0 0.0 -10.0"),
    "mirrored": (lambda v: v[..., ::-1], "40.0 -10.0 0.0 40.0 0.0 -10.0"),
    "uneven": (lambda v: v[..., [0, 1, 3]], None),
}


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "whole.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, length in {"time": 2, "y": 4, "x": 4}.items():
            file.createDimension(name, length)
        file.createVariable("y", "f8", ("y",))[:] = [35, 25, 15, 5]
        file.createVariable("x", "f8", ("x",))[:] = [5, 15, 25, 35]
        file.createVariable("crs", "i4", ()).GeoTransform = "0.0 10.0 0.0 40.0 0.0 -10.0"
        v = file.createVariable("v", "f4", ("time", "y", "x"))
        v.grid_mapping = "crs"
        v[:] = np.arange(32).reshape(2, 4, 4)
    return biggus.open(path, "v")


@pytest.mark.parametrize("part", PARTS)
def test_part_of_a_grid_is_saved_with_its_own_place(grid, tmp_path, part):
    select, expected = PARTS[part]
    biggus.save(select(grid), tmp_path / "part.nc::v")
    with netCDF4.Dataset(tmp_path / "part.nc") as file:
        assert getattr(file["crs"], "GeoTransform", None) == expected
