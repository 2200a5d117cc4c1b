"""Saved cell methods name axes that the file has, or coordinates of those that are gone."""

import pytest

import biggus

netCDF4 = pytest.importorskip("netCDF4")


@pytest.mark.parametrize(
    ("mean", "right"),
    [
        (lambda a: a.mean(), "time: mean"),
        (lambda a: a.mean("time"), "time: mean"),
        (lambda a: a.mean("cell"), None),
        (lambda a: a.mean("cell", keepdims=True), "cell: mean"),
    ],
)
def test_axes_without_coordinates_are_named_while_they_are_there(tmp_path, mean, right):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", 3)
        file.createDimension("cell", 4)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "days since 2000-01-01", [0, 1, 2]
        file.createVariable("area", "f4", ("time", "cell"))[:] = 1
    biggus.save(mean(biggus.open(tmp_path / "a.nc", "area")), f"{tmp_path}/m.nc::mean")
    with netCDF4.Dataset(tmp_path / "m.nc") as file:
        assert getattr(file["mean"], "cell_methods", None) == right
