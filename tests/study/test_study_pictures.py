"""Pictures and pyramids in studies: coordinates, and the levels of an image."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.study.bundle import Bundle

DATA = np.arange(1200, dtype="f4").reshape(30, 40)


def replayed(program, *gone):
    with biggus.record("study.biggus") as study:
        values = program()
    for name in gone:
        shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()
    with biggus.replay("study.biggus"):
        again = program()
    for one, other in zip(values, again, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    assert study.receipt == Bundle("study.biggus").receipt


def test_coordinates_of_a_picture_are_recorded(folder):
    netCDF4 = pytest.importorskip("netCDF4")
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with netCDF4.Dataset("a.nc", "w") as file:
        for name, n in (("lat", 30), ("lon", 40)):
            file.createDimension(name, n)
            variable = file.createVariable(name, "f8", (name,))
            variable.units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
            variable[:] = np.linspace(-20, 20, n)
        variable = file.createVariable("t", "f4", ("lat", "lon"))
        variable[:] = DATA
        variable.setncatts({"units": "K", "long_name": "temperature"})

    def program():
        figure = biggus.quicklook(biggus.open("a.nc", "t"), coastlines=False)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return [np.array(canvas.buffer_rgba())]

    replayed(program, "a.nc")
    names = {held.origin.rpartition("::")[2] for held in Bundle("study.biggus").sources.values()}
    assert {"t", "lat", "lon"} <= names


def test_levels_of_an_image_are_recorded(folder):
    zarr = pytest.importorskip("zarr")
    root = zarr.create_group("a.zarr", zarr_format=2)
    for level in range(3):
        root.create_array(str(level), data=DATA[:: 2**level, :: 2**level], chunks=(8, 8))
    scales = [[{"type": "scale", "scale": [2**level] * 2}] for level in range(3)]
    datasets = [
        {"path": str(level), "coordinateTransformations": scale}
        for level, scale in enumerate(scales)
    ]
    axes = [{"name": name, "type": "space"} for name in "yx"]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]

    def program():
        pyramid = biggus.open_pyramid("a.zarr")
        return [level.array[2:5].ndarray() for level in pyramid.levels]

    replayed(program, "a.zarr")


@pytest.mark.parametrize("cached", [True, False])
def test_overviews(folder, cached):
    np.save("a.npy", np.arange(512 * 600, dtype="f4").reshape(512, 600))

    def program():
        with biggus.set_options(cache=biggus.Cache("cache")):
            pyramid = biggus.overviews(biggus.open("a.npy"))
            return [level.array[:9, 5:9].ndarray() for level in pyramid.levels]

    if cached:
        program()
    replayed(program, "a.npy")
