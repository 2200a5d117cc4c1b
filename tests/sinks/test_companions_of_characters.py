"""Characters beside an array: names of stations and other texts that are its coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import biggus

netCDF4 = pytest.importorskip("netCDF4")
xr = pytest.importorskip("xarray")

pytestmark = pytest.mark.filterwarnings("ignore")  # xarray's own, of times and of Zarr


def write_stations(path, length=5, fill=None, encoding=None):
    """Write time series of stations; station names and quality flags are characters."""
    with netCDF4.Dataset(path, "w") as file:
        for name, n in {"station": 3, "time": 4, "length": length}.items():
            file.createDimension(name, n)
        names = file.createVariable("name", "S1", ("station", "length"), fill_value=fill)
        if encoding is not None:
            names._Encoding = encoding
        names.set_auto_chartostring(False)
        names[:] = netCDF4.stringtochar(np.array([b"Kiel", b"Ulm", b"Bonn"], f"S{length}"))
        region = file.createVariable("region", "S1", ("length",))
        region[:] = netCDF4.stringtochar(np.array(b"west", f"S{length}"))
        level = file.createVariable("level", "f4", ("station", "time"))
        level.coordinates = "name region"
        level[:] = np.arange(12).reshape(3, 4)
        quality = file.createVariable("quality", "S1", ("station", "time"), fill_value=fill)
        quality[:] = b"1"
        quality[1] = fill or b"2"
    return path


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("fill", [None, b" ", b"\0"])
def test_character_coordinates_match_xarray(tmp_path, suffix, fill):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    source, out = write_stations(tmp_path / "a.nc", fill=fill), tmp_path / f"out{suffix}"
    level = biggus.open(source, "level")[::-1]
    biggus.save([level, level.mean("time")], [f"{out}::level", f"{out}::mean"])
    right = xr.open_dataset(source)["level"][::-1]
    assert "name" in right.coords
    xr.testing.assert_identical(xr.open_dataset(out)["level"], right)
    assert xr.open_dataset(out)["mean"]["name"].dtype == right["name"].dtype


def test_decoded_text_coordinates_are_text_in_xarray(tmp_path):
    source = write_stations(tmp_path / "a.nc", encoding="utf-8")
    biggus.save(biggus.open(source, "level")[1:], tmp_path / "out.nc::level")
    assert xr.open_dataset(tmp_path / "out.nc")["name"].values.tolist() == ["Ulm", "Bonn"]


@pytest.mark.parametrize("lengths", [(5, 5), (5, 8)])
def test_character_coordinates_of_joined_files(tmp_path, lengths):
    paths = [write_stations(tmp_path / f"{n}.nc", n) for n in lengths]
    biggus.save(biggus.open_many(paths, "level"), tmp_path / "out.nc::level")
    found = xr.open_dataset(tmp_path / "out.nc")["level"]
    assert ("name" in found.coords) == (lengths[0] == lengths[1])
    assert found["region"] == b"west"


@pytest.mark.parametrize("fill", [None, b" ", b"\0"])
def test_missing_characters_stay_missing(tmp_path, fill):
    source = write_stations(tmp_path / "a.nc", fill=fill)
    quality = biggus.open(source, "quality")
    biggus.save(quality, tmp_path / "out.nc::quality")
    assert quality.masked is (fill is not None)
    for name in (source, tmp_path / "out.nc"):
        found = biggus.open(name, "quality").masked_array()
        assert found.mask.any(axis=1).tolist() == [False, fill is not None, False]
        with netCDF4.Dataset(name) as file:
            np.testing.assert_array_equal(found.mask, np.ma.getmaskarray(file["quality"][:]))


def test_characters_equal_to_the_fill_value_get_another_fill_value(tmp_path):
    values = np.ma.masked_array(np.array([b" ", b"a", b"", b"b"]), [0, 0, 0, 1], fill_value=b" ")
    biggus.save(biggus.ArrayAdapter(values), tmp_path / "out.nc::v")
    found = biggus.open(tmp_path / "out.nc", "v").masked_array()
    assert found.tolist() == [b" ", b"a", b"", None]
