"""Joined files have the same coordinates along all axes but the joined one."""

import os
from itertools import islice

import numpy as np
import pytest
from zarr_server import serving

import biggus
from biggus.datasets import compared, disagreements, noting
from biggus.datasets.facts import Opened
from biggus.errors import MismatchError, OpenError, SourceError
from biggus.sources.base import Source

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

HOURS = "hours since 2000-01-01"


def write(path, number, lat, attributes=None, times=None):
    """Write `v` along time and latitude to a file, in a group if the path names one."""
    path, _, group = str(path).partition("::")
    times = np.arange(2) + 2 * number if times is None else np.asarray(times)
    values = {"time": times, "lat": np.asarray(lat), "v": np.full((2, len(lat)), number, "f8")}
    given = {name: dict((attributes or {}).get(name, {})) for name in values}
    given["time"].setdefault("units", HOURS)
    WRITERS[path.rpartition(".")[2]](path, group, values, given)
    return path


def write_netcdf(path, group, values, given):
    with netCDF4.Dataset(path, "w") as file:
        place = file.createGroup(group) if group else file
        for name, each in values.items():
            dims = (name,) if each.ndim == 1 else ("time", "lat")
            if each.ndim == 1:
                place.createDimension(name, len(each))
            fill = given[name].pop("_FillValue", None)
            kind = each.dtype if each.dtype.kind != "U" else str
            made = place.createVariable(name, kind, dims, fill_value=fill)
            made.set_auto_maskandscale(False)
            made[:] = each
            made.setncatts(given[name])


def write_hdf5(path, group, values, given):
    with h5py.File(path, "w") as file:
        place = file.create_group(group) if group else file
        for name, each in values.items():
            place[name] = each.astype("O") if each.dtype.kind == "U" else each
            place[name].attrs.update(given[name])
            if each.ndim == 1:
                place[name].make_scale(name)
        for axis, name in enumerate(("time", "lat")):
            place["v"].dims[axis].attach_scale(place[name])


def write_zarr(path, group, values, given):
    place = zarr.open_group(path, mode="w", path=group or None)
    for name, each in values.items():
        dims = (name,) if each.ndim == 1 else ("time", "lat")
        made = place.create_array(
            name, shape=each.shape, dtype=each.dtype, dimension_names=dims, attributes=given[name]
        )
        made[...] = each


WRITERS = {"nc": write_netcdf, "h5": write_hdf5, "zarr": write_zarr}

FORMATS = pytest.mark.parametrize("suffix", WRITERS)


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
    "infinite": (np.array([0, 0.1, np.inf]), {}, "lat is 0.2 and inf"),
}


@FORMATS
@pytest.mark.parametrize("kind", SAME)
def test_coordinates_that_mean_the_same_are_joined(tmp_path, kind, suffix):
    lat, attributes = SAME[kind]
    first = (LAT, {}) if kind != "missing" else (lat, attributes)
    paths = [
        write(tmp_path / f"0.{suffix}", 0, *first),
        write(tmp_path / f"1.{suffix}", 1, lat, attributes),
    ]
    assert biggus.open_many(paths, "v").shape == (4, 3)


@FORMATS
@pytest.mark.parametrize("group", ["", "::inner"])
@pytest.mark.parametrize("kind", OTHER)
def test_other_coordinates_raise_unless_mismatch_is_ignored(tmp_path, kind, group, suffix):
    lat, attributes, message = OTHER[kind]
    paths = [
        write(f"{tmp_path}/{n}.{suffix}{group}", n, values, given)
        for n, (values, given) in enumerate([(LAT, {}), (LAT, {}), (lat, attributes)])
    ]
    name = f"{group.strip(':')}/v"
    with pytest.raises(MismatchError, match=message) as raised:
        biggus.open_many(paths, name)
    assert f"0.{suffix}" in raised.value.first
    assert f"2.{suffix}" in raised.value.other
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


@pytest.mark.parametrize("suffix", ["nc", "h5"])
def test_text_is_compared(tmp_path, suffix):
    stations = [["a", "b", "c"], ["a", "b", "c"], ["a", "é", "c"]]
    paths = [write(tmp_path / f"{n}.{suffix}", n, names) for n, names in enumerate(stations)]
    assert biggus.open_many(paths[:2], "v").shape == (4, 3)
    with pytest.raises(MismatchError, match="lat is b and é"):
        biggus.open_many(paths, "v")


def test_times_without_units_differ_in_a_stack_alone(tmp_path):
    paths = [write(tmp_path / f"{n}.h5", n, LAT, {"time": {"units": ""}}) for n in range(2)]
    assert biggus.open_many(paths, "v", stack=True).shape == (2, 2, 3)
    with pytest.raises(MismatchError, match="time is 0 and 2"):
        biggus.open_many(paths, "v", axis="lat")


def test_a_stack_of_coordinates_is_not_compared_with_itself(tmp_path):
    paths = [write(tmp_path / f"{n}.h5", n, LAT + n) for n in range(2)]
    assert biggus.open_many(paths, "lat", stack=True)[1].ndarray().tolist() == (LAT + 1).tolist()


class Noted(Source):
    """Counts up along an axis of its name, has others beside it, and notes what is read."""

    def __init__(self, dims, shape, beside=(), start=0):
        self.dims, self.shape, self.dtype, self.name = dims, shape, np.dtype("f8"), dims[-1]
        self.beside = {each.name: each for each in beside}
        self.start, self.boxes = start, []

    def sibling(self, name):
        return self.beside.get(name)

    def __getitem__(self, box):
        self.boxes.append(box)
        return self.start + np.arange(self.shape[0], dtype="f8")[box]


def test_coordinates_of_other_axes_are_read_once_and_large_ones_in_part():
    large = compared.LARGEST // 8 + 1
    lengths = {"time": 4, "lat": 3, "cell": large}

    def opened():
        for n in range(20):
            beside = [Noted((name,), (n,)) for name, n in lengths.items()]
            beside[1].start = n == 18
            made.append(Noted(("time", "lat", "cell", "v"), (4, 3, large, 2), beside))
            yield biggus.ArrayAdapter(made[-1])

    made = []
    [found] = disagreements(opened(), 0)
    assert found[:4] == (0, 18, "lat is 0 and 1 at [0]", "lat")
    assert len(made) == 20
    assert not any(each.boxes for each in made)
    part = compared.LARGEST // 16
    ends = [(slice(0, part, 1),), (slice(large - part, large, 1),)]
    whole = {"time": [], "cell": ends, "lat": [(slice(0, 3, 1),)]}
    for each in made:
        for name in lengths:
            boxes = sorted(each.beside[name].boxes, key=lambda box: box[0].start)  # of threads
            assert boxes == whole[name]
    made = []
    assert not list(disagreements(islice(opened(), 1), 0))
    assert not made[0].beside["lat"].boxes
    made = []
    first = next(disagreements(opened(), "time"))
    assert (first.other, len(made)) == (18, 20)


def test_remote_coordinates_are_read_once_and_cached(tmp_path):
    for n in range(3):
        write(tmp_path / f"{n}.zarr", n, LAT)
    cache = biggus.Cache(tmp_path / "cache")
    with serving(tmp_path) as server:
        urls = [f"{server.url}/{n}.zarr" for n in range(3)]
        asked = []
        for _ in range(2):
            server.requests.clear()
            biggus.open_many(urls, "v", cache=cache)
            asked.append([path for path, _ in server.requests if "/lat/" in path])
        documents = [f"/{n}.zarr/lat/zarr.json" for n in range(3)]
        assert sorted(asked[0]) == sorted([*documents, *(f"/{n}.zarr/lat/c/0" for n in range(3))])
        assert asked[1] == documents
        biggus.open_many(urls, "v", cache=cache, mismatch="ignore")
        write(tmp_path / "3.zarr", 3, LAT + 1)
        with pytest.raises(MismatchError, match="lat is 0 and 1") as raised:
            biggus.open_many([*urls, f"{server.url}/3.zarr"], "v", cache=cache)
    assert "0.zarr" in raised.value.first
    assert "3.zarr" in raised.value.other


def test_deleted_files_are_known_from_the_cache(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    paths = [write(folder / f"{n}.nc", n, LAT) for n in range(2)]
    cache = biggus.Cache(tmp_path / "cache")
    biggus.open_many(paths, "v", cache=cache)
    for path in folder.iterdir():
        path.unlink()
    assert biggus.open_many(paths, "v", cache=cache).shape == (4, 3)


@pytest.fixture
def read(monkeypatch):
    """Return the list of the coordinates that are read, by the numbers of their arrays."""
    numbers = []
    read = compared.read

    def noting_read(several):
        several = list(several)
        numbers.extend(each.number for each in several)
        read(several)

    monkeypatch.setattr("biggus.datasets.agreeing.read", noting_read)
    monkeypatch.setattr("biggus.datasets.compared.read", noting_read)
    monkeypatch.setattr(noting, "_noted", {})
    return numbers


def refuse(*_):
    raise AssertionError("a coordinate was opened")


@FORMATS
@pytest.mark.parametrize("kept", ["in memory", "on disk"])
@pytest.mark.parametrize("noise", [0, 1e-9])
@pytest.mark.usefixtures("settled")
def test_coordinates_are_not_read_again(tmp_path, suffix, kept, noise, read, monkeypatch):
    paths = [write(tmp_path / f"{n}.{suffix}", n, LAT + n * noise) for n in range(3)]
    cache = biggus.Cache(tmp_path / "cache") if kept == "on disk" else False
    biggus.open_many(paths, "v", cache=cache)
    assert {0, 1, 2} == set(read)
    read.clear()
    for _ in range(2):
        if kept == "on disk":
            monkeypatch.setattr(noting, "_noted", {})
        if suffix != "zarr":  # whose coordinates have states of their own
            source = type(Opened.of(biggus.open(paths[0], "v")).source.source)
            monkeypatch.setattr(source, "sibling", refuse)
        assert biggus.open_many(paths, "v", cache=cache).shape == (6, 3)
        assert not read


def dated(path, seconds):
    """Set the times of a store to a number of seconds, however coarse the clock of files is."""
    for each in (path, *path.rglob("*")):
        os.utime(each, (seconds, seconds))


@FORMATS
@pytest.mark.parametrize("kept", ["in memory", "on disk"])
@pytest.mark.usefixtures("settled", "read")
def test_changed_coordinates_are_read_again(tmp_path, suffix, kept):
    cache = biggus.Cache(tmp_path / "cache") if kept == "on disk" else False
    paths = [tmp_path / f"{n}.{suffix}" for n in range(2)]
    write(paths[0], 0, LAT)
    states = [
        (LAT, {}, None),
        (LAT, {"scale_factor": 2.0}, "lat is 0.1 and 0.2"),
        (LAT, {}, None),
        (LAT + 1, {}, "lat is 0 and 1"),
    ]
    for number, (lat, packing, message) in enumerate(states):
        write(paths[1], 1, lat, {"lat": packing})
        dated(paths[1], number)
        for _ in range(2):
            if message is None:
                assert biggus.open_many(paths, "v", cache=cache).shape == (4, 3)
            else:
                with pytest.raises(MismatchError, match=message):
                    biggus.open_many(paths, "v", cache=cache)


@FORMATS
def test_coordinates_of_files_that_may_still_change_are_read_again(tmp_path, suffix, read):
    paths = [write(tmp_path / f"{n}.{suffix}", n, LAT) for n in range(2)]
    for _ in range(2):
        biggus.open_many(paths, "v")
    assert read == [0, 1, 0, 1]


def test_error_of_unreadable_coordinate_names_the_remedy(tmp_path):
    paths = [write(tmp_path / f"{n}.zarr", n, LAT) for n in range(2)]
    next(tmp_path.glob("1.zarr/lat/c/*")).write_bytes(b"damaged")
    with pytest.raises(SourceError, match=r"1\.zarr::lat.*`mismatch='ignore'`"):
        biggus.open_many(paths, "v")
    (tmp_path / "1.zarr/lat/zarr.json").write_text("{")
    with pytest.raises(OpenError, match=r"1\.zarr.*`mismatch='ignore'`"):
        biggus.open_many(paths, "v")
    assert biggus.open_many(paths, "v", mismatch="ignore").shape == (4, 3)


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
