"""Coordinates follow statistics of windows, points, and functions of whole lines."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.labels import labels_of

netCDF4 = pytest.importorskip("netCDF4")


@pytest.fixture
def path(tmp_path):
    """Return a file with bounds, a grid mapping and curved coordinates."""
    path = tmp_path / "in.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.title = "a grid"
        for name, n in (("time", 7), ("y", 6), ("x", 8), ("bnds", 2)):
            file.createDimension(name, n)

        def create(name, dims, values, **attributes):
            variable = file.createVariable(name, values.dtype, dims)
            variable.setncatts(attributes)
            variable[:] = values

        time = np.arange(7.0)
        create("time", ("time",), time + 0.5, units="days since 2000-01-01", bounds="time_bnds")
        create("time_bnds", ("time", "bnds"), np.stack([time, time + 1], 1))
        create("y", ("y",), np.arange(6)[::-1] * 10, actual_range=np.array([0, 50]))
        create("x", ("x",), np.arange(8, dtype="f4"))
        create("lat", ("y", "x"), np.arange(48.0).reshape(6, 8), units="degrees_north")
        create("crs", (), np.array(0), grid_mapping_name="rotated_latitude_longitude")
        values = np.arange(7 * 48, dtype="f4").reshape(7, 6, 8)
        create("t", ("time", "y", "x"), values, units="K", coordinates="lat", grid_mapping="crs")
    return path


@pytest.mark.parametrize("boundary", ["trim", "pad"])
def test_coarsened_array_is_saved_with_its_coordinates(path, tmp_path, boundary) -> None:
    array = biggus.coarsen(biggus.open(path, "t"), {"time": 3, "y": 2}, "max", boundary)
    assert (array.name, array.units, array.dims) == ("t", "K", ("time", "y", "x"))
    biggus.save(array, tmp_path / "out.nc")
    middles = [1.5, 4.5] + [6.5] * (boundary == "pad")
    with netCDF4.Dataset(tmp_path / "out.nc") as file:
        assert file.title == "a grid"
        assert file["t"].grid_mapping == "crs"
        assert file["t"].coordinates == "lat"
        assert np.array_equal(file["time"][:], middles)
        assert file["time"].units == "days since 2000-01-01"
        ends = [[0, 3], [3, 6], [6, 7]][: len(middles)]
        assert np.array_equal(file[file["time"].bounds][:], ends)
        assert np.array_equal(file["y"][:], [45, 25, 5])
        assert "actual_range" not in file["y"].ncattrs()
        assert np.array_equal(file["x"][:], np.arange(8))
        assert np.array_equal(file["lat"][0], np.arange(8) + 4)


def test_positions_of_several_axes_share_a_dimension_with_their_coordinates(path, tmp_path) -> None:
    points = biggus.open(path, "t")[:, [1, 2, 5], [0, 7, 3]]
    biggus.save(points, tmp_path / "out.nc")
    with netCDF4.Dataset(tmp_path / "out.nc") as file:
        dims = file["t"].dimensions
        assert dims[0] == "time"
        for name, values in {"y": [40, 30, 0], "x": [0, 7, 3], "lat": [8, 23, 43]}.items():
            assert file[name].dimensions == dims[1:]
            assert np.array_equal(file[name][:], values)
        assert set(file["t"].coordinates.split()) == {"y", "x", "lat"}


@pytest.mark.parametrize(
    ("function", "kept"),
    [(np.sort, False), (np.argsort, False), (np.fft.fft, False), (np.unwrap, True)],
)
def test_sorted_values_and_spectra_lose_the_coordinates_of_the_axis(path, function, kept) -> None:
    lines = function(biggus.open(path, "t").filled(0), axis=1)
    names = {each.name for each in labels_of(lines.node, coordinates=True).coordinates}
    assert names == {"time", "x"} | ({"y", "lat"} if kept else set())
