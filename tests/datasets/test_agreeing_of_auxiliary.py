"""Coordinates that the attribute `coordinates` names agree, or vary along the joined axis."""

import numpy as np
import pytest

import biggus
from biggus.datasets import compared
from biggus.errors import MismatchError
from biggus.labels import labels_of

h5py = pytest.importorskip("h5py")
pytest.importorskip("netCDF4")
pytest.importorskip("zarr")
xr = pytest.importorskip("xarray")

FORMATS = pytest.mark.parametrize("suffix", ["nc", "zarr", "zarr3", "h5"])


def write(path, number, **coordinates):
    """Write `v` along time, y and x with its coordinates, each a variable of xarray."""
    time = xr.Variable("time", np.arange(2) + 2 * number, {"units": "hours since 2000-01-01"})
    values = np.full((2, 3, 4), number, "f4")
    dataset = xr.Dataset({"v": (("time", "y", "x"), values)}, {"time": time, **coordinates})
    if path.suffix == ".nc":
        dataset.to_netcdf(path)
    elif path.suffix == ".h5":
        write_hdf5(path, dataset)
    else:
        zarr_format = 3 if path.suffix == ".zarr3" else 2
        dataset.to_zarr(path, consolidated=False, zarr_format=zarr_format)
    return path


def write_hdf5(path, dataset):
    with h5py.File(path, "w") as file:
        for name, each in dataset.variables.items():
            file[name] = each.values.astype("O") if each.dtype.kind == "U" else each.values
            file[name].attrs.update(each.attrs)
        for dim in dataset.indexes:
            file[dim].make_scale(dim)
        for name, each in dataset.variables.items():
            for axis, dim in enumerate(each.dims if each.dims != (name,) else ()):
                if dim in dataset.indexes:
                    file[name].dims[axis].attach_scale(file[dim])
                else:
                    file[name].dims[axis].label = dim
        file["v"].attrs["coordinates"] = " ".join(dataset.coords)


CURVED = np.arange(12.0).reshape(3, 4)


def joined_files(folder, suffix, name, values, dims, **keywords):
    attributes = keywords.pop("attributes", {})
    paths = [
        write(folder / f"{n}.{suffix}", n, **{name: xr.Variable(dims, each, attributes)})
        for n, each in enumerate(values)
    ]
    return biggus.open_many(paths, "v", **keywords)


OTHER = {
    "curvilinear": (("y", "x"), CURVED, CURVED + np.eye(3, 4), r"other is 0 and 1 at \[0, 0\]"),
    "along x": ("x", CURVED[0], CURVED[0] + [0, 0, 1, 0], r"other is 2 and 3 at \[2\]"),
    "scalar": ((), np.array(2.0), np.array(10.0), "other is 2 and 10;"),
    "text": ("y", np.array(["a", "b", "c"]), np.array(["a", "b", "é"]), "other is c and é"),
    "scalar text": ((), np.array("north"), np.array("south"), "other is north and south"),
}


@FORMATS
@pytest.mark.parametrize("kind", OTHER)
def test_other_auxiliary_coordinates_raise(tmp_path, kind, suffix):
    dims, one, two, message = OTHER[kind]
    if suffix == "zarr3" and one.dtype.kind == "U":
        pytest.skip("Zarr format 3 specifies no bytes of fixed length")
    if suffix == "zarr" and one.dtype.kind == "U":
        one, two = (np.char.encode(each, "utf-8") for each in (one, two))
        message = "other is b"
    (tmp_path / "same").mkdir()
    same = joined_files(tmp_path / "same", suffix, "other", [one, one], dims)
    assert same.shape == (4, 3, 4)
    with pytest.raises(MismatchError, match=message):
        joined_files(tmp_path, suffix, "other", [one, one, two], dims)
    paths = [tmp_path / f"{n}.{suffix}" for n in range(3)]
    assert biggus.open_many(paths, "v", mismatch="ignore").shape == (6, 3, 4)


@FORMATS
def test_auxiliary_coordinates_along_the_joined_axis_may_differ(tmp_path, suffix):
    values = [[1.0, 2], [5.0, 6]]
    assert joined_files(tmp_path, suffix, "other", values, "time").shape == (4, 3, 4)


@pytest.mark.parametrize("place", [0, -1])
def test_first_and_last_rows_of_large_coordinates_are_compared(tmp_path, monkeypatch, place):
    monkeypatch.setattr(compared, "LARGEST", 2 * CURVED[0].nbytes)
    other = CURVED.copy()
    other[place, 1] += 1
    (tmp_path / "middle").mkdir()
    middle = [CURVED, CURVED + np.array([[0], [1], [0]])]
    assert joined_files(tmp_path / "middle", "nc", "other", middle, ("y", "x")).shape[0] == 4
    with pytest.raises(MismatchError, match=rf"at \[{place % 3}, 1\]"):
        joined_files(tmp_path, "nc", "other", [CURVED, other], ("y", "x"))


def test_coordinates_that_take_much_memory_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(compared, "LARGEST", 64)
    monkeypatch.setattr(compared, "_MOST_TAKEN", 64)
    assert joined_files(tmp_path, "nc", "other", [CURVED, CURVED + 1], ("y", "x")).shape[0] == 4


REFERENCE = {"units": "hours since 2000-01-01", "standard_name": "forecast_reference_time"}


@FORMATS
@pytest.mark.parametrize("again", [False, True])
def test_scalar_times_vary_along_a_series(tmp_path, suffix, again):
    values = [np.array(float(n)) for n in (0, 0, 6)]
    joined = joined_files(tmp_path, suffix, "run", values, (), attributes=REFERENCE)
    if again:
        paths = [tmp_path / f"{n}.{suffix}" for n in range(3)]
        joined = biggus.open_many(paths, "v")
    biggus.save(joined, tmp_path / "out.nc::v")
    with xr.open_dataset(tmp_path / "out.nc", decode_times=False) as out:
        assert out["v"].coords["run"].dims == ("time",)
        assert out["run"].values.tolist() == [0, 0, 0, 0, 6, 6]
        assert out["v"][:, 0, 0].values.tolist() == [0, 0, 1, 1, 2, 2]


def test_scalar_times_may_not_vary_along_another_axis(tmp_path):
    runs = [xr.Variable((), float(hour), REFERENCE) for hour in (0, 6)]
    paths = [write(tmp_path / f"{n}.nc", 0, run=run) for n, run in enumerate(runs)]
    with pytest.raises(MismatchError, match="run is 0 and 6"):
        biggus.open_many(paths, "v", axis="y")


@FORMATS
def test_scalars_vary_along_a_stack(tmp_path, suffix):
    values = [np.array(n) for n in (2.0, 10.0, 10.0)]
    joined = joined_files(tmp_path, suffix, "height", values, (), stack=True)
    assert joined.shape == (3, 2, 3, 4)
    biggus.save(joined, tmp_path / "out.nc::v")
    with xr.open_dataset(tmp_path / "out.nc", decode_times=False) as out:
        assert out["height"].dims == out["v"].dims[:1]
        assert out["height"].values.tolist() == [2, 10, 10]
        assert np.array_equal(out["v"].values, joined.ndarray())


def test_packed_values_stay_packed_where_scalars_vary(tmp_path):
    for n in range(2):
        run = xr.Variable((), 6.0 * n, REFERENCE)
        packing = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}
        packed = xr.Variable(("time", "y"), [[1.5, 2.0]], {}, packing)
        time = xr.Variable("time", [n], {"units": "hours since 2000-01-01"})
        xr.Dataset({"v": packed}, {"time": time, "run": run}).to_netcdf(tmp_path / f"{n}.nc")
    joined = biggus.open_many(tmp_path / "?.nc", "v")
    biggus.save(joined, tmp_path / "out.nc::v")
    with xr.open_dataset(tmp_path / "out.nc", mask_and_scale=False, decode_times=False) as out:
        assert out["v"].dtype == "i2"
        assert out["v"].values.tolist() == [[3, 4], [3, 4]]
        assert out["run"].values.tolist() == [0, 6]


@FORMATS
def test_coordinates_along_the_joined_axis_are_kept_beside_others(tmp_path, suffix):
    lead = [xr.Variable("time", [n, n + 1.0]) for n in range(2)]
    paths = [
        write(tmp_path / f"0.{suffix}", 0, height=xr.Variable((), 2.0), lead=lead[0]),
        write(tmp_path / f"1.{suffix}", 1, lead=lead[1]),
    ]
    labels = labels_of(biggus.open_many(paths, "v").node, coordinates=True)
    [found] = [each for each in labels.coordinates if each.name == "lead"]
    assert found.values().tolist() == [0, 1, 1, 2]
