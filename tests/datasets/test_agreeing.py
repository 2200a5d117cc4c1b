"""Files whose axes have other coordinates are not joined."""

import numpy as np
import pytest

import biggus
from biggus.errors import MismatchError

netCDF4 = pytest.importorskip("netCDF4")

HOURS = "hours since 2000-01-01"


def write(path, number, lat, attributes=None, times=None):
    """Write `v` along time and latitude to a NetCDF file, in a group if the path names one."""
    path, _, group = str(path).partition("::")
    with netCDF4.Dataset(path, "w") as file:
        place = file.createGroup(group) if group else file
        coordinates = {"time": np.arange(2) + 2 * number if times is None else times, "lat": lat}
        for name, values in zip(coordinates, map(np.asarray, coordinates.values()), strict=True):
            place.createDimension(name, len(values))
            given = {"units": HOURS} if name == "time" else {}
            given.update((attributes or {}).get(name, {}))
            fill = given.pop("_FillValue", None)
            made = place.createVariable(name, values.dtype, (name,), fill_value=fill)
            made.set_auto_maskandscale(False)
            made[:] = values
            made.setncatts(given)
        made = place.createVariable("v", "f8", ("time", "lat"))
        made[:] = number
    return path


LAT = np.array([0.0, 0.1, 0.2])

SAME = {
    "equal": (LAT, {}),
    "rounded to float32": (LAT.astype("f4"), {}),
    "noise": (LAT + 1e-4, {}),
    "attributes": (LAT, {"lat": {"units": "degree_north"}}),
    "packed": (np.arange(3, dtype="i2"), {"lat": {"scale_factor": 0.1}}),
    "missing": (np.array([0, 0.1, -9]), {"lat": {"_FillValue": -9.0}}),
}

OTHER = {
    "shifted": (LAT + 0.05, {}, "lat is 0 and 0.05"),
    "reversed": (LAT[::-1].copy(), {}, "lat is 0 and 0.2"),
    "one value": (np.array([0.0, 0.1, 0.25]), {}, "lat is 0.2 and 0.25 at \\[2\\]"),
    "packed": (np.arange(3, dtype="i2"), {"lat": {"scale_factor": 0.2}}, "lat is 0.1 and 0.2"),
    "missing": (np.array([0, 0.1, -9]), {"lat": {"_FillValue": -9.0}}, "lat is 0.2 and nan"),
}


@pytest.mark.parametrize("kind", SAME)
def test_coordinates_that_mean_the_same_are_joined(tmp_path, kind):
    lat, attributes = SAME[kind]
    first = (LAT, {}) if kind != "missing" else (lat, attributes)
    paths = [
        write(tmp_path / "0.nc", 0, *first),
        write(tmp_path / "1.nc", 1, lat, attributes),
    ]
    assert biggus.open_many(paths, "v").shape == (4, 3)


@pytest.mark.parametrize("group", ["", "::inner"])
@pytest.mark.parametrize("kind", OTHER)
def test_other_coordinates_raise_unless_mismatch_is_ignored(tmp_path, kind, group):
    lat, attributes, message = OTHER[kind]
    paths = [
        write(f"{tmp_path}/{n}.nc{group}", n, values, given)
        for n, (values, given) in enumerate([(LAT, {}), (LAT, {}), (lat, attributes)])
    ]
    name = f"{group.strip(':')}/v"
    with pytest.raises(MismatchError, match=message) as raised:
        biggus.open_many(paths, name)
    assert "2.nc" in raised.value.other
    assert biggus.open_many(paths, name, mismatch="ignore").shape == (6, 3)
    assert biggus.open_many(paths, name, axis=1, mismatch="ignore").shape == (2, 9)


@pytest.mark.parametrize(
    ("times", "units", "same"),
    [
        ([0.0, 1.0], HOURS, True),
        ([-24, -23], "hours since 2000-01-02", True),
        ([0, 60], "minutes since 2000-01-01", True),
        ([0, 2], HOURS, False),
        ([0, 1], "hours since 2000-01-02", False),
        ([0, 1], "months since 2000-01-01", True),  # of unknown length
    ],
)
def test_times_are_compared_if_another_axis_is_joined(tmp_path, times, units, same):
    paths = [
        write(tmp_path / "0.nc", 0, LAT),
        write(tmp_path / "1.nc", 0, LAT + 0.3, {"time": {"units": units}}, times),
    ]
    if same:
        assert biggus.open_many(paths, "v", axis=1).shape == (2, 6)
    else:
        with pytest.raises(MismatchError, match="time is"):
            biggus.open_many(paths, "v", axis=1)


def test_times_of_a_stack_may_differ(tmp_path):
    paths = [write(tmp_path / f"{n}.nc", n, LAT) for n in range(2)]
    assert biggus.open_many(paths, "v", stack=True).shape == (2, 2, 3)
    write(paths[1], 1, LAT + 1)
    with pytest.raises(MismatchError, match="lat is"):
        biggus.open_many(paths, "v", stack=True)


def test_deleted_files_are_known_from_the_cache(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    paths = [write(folder / f"{n}.nc", n, LAT) for n in range(2)]
    cache = biggus.Cache(tmp_path / "cache")
    biggus.open_many(paths, "v", cache=cache)
    for path in folder.iterdir():
        path.unlink()
    assert biggus.open_many(paths, "v", cache=cache).shape == (4, 3)


@pytest.mark.parametrize("keywords", [{}, {"concat_dim": "time"}])
def test_xarray_dataset_of_other_coordinates_raises(tmp_path, keywords):
    xr = pytest.importorskip("xarray")
    import biggus.xarray

    paths = [write(tmp_path / f"{n}.nc", n, LAT + (n == 2)) for n in range(3)]
    with pytest.raises(ValueError, match="lat") as raised:
        biggus.xarray.open(paths, **keywords)
    if isinstance(raised.value, xr.AlignmentError):
        assert any("lat of" in note and "2.nc" in note for note in raised.value.__notes__)
    union = biggus.xarray.open(paths, concat_dim="time", join="outer")
    assert union.sizes["lat"] == 6
