"""`biggus get` into `.npy`, NetCDF and Zarr: values, dtypes, fill values and attributes."""

import numpy as np
import pytest
from get_stores import decoded

import biggus
from biggus.cli import main

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")


@pytest.mark.parametrize("name", ["scalar", "empty", "big endian", "complex", "halves", "flags"])
@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".nc"])
def test_dtypes_and_shapes(name, suffix, get, refused, folder):
    with h5py.File(folder / "a.h5") as file:
        expected = file[name][()]
    if (name, suffix) == ("complex", ".nc"):
        assert "complex128" in refused("a.h5", name, "out.nc")
        return
    out = get("a.h5", name, f"out{suffix}")
    if suffix == ".npy":
        values = np.load(out)
    elif suffix == ".zarr":
        values = zarr.open_group(out, mode="r")[name][...]
    else:
        with netCDF4.Dataset(out) as dataset:
            variable = dataset[name]
            values = np.asarray(variable[...]).reshape(variable.shape)
    assert values.shape == np.shape(expected)
    assert np.array_equal(values, expected)
    if suffix != ".nc":
        assert values.dtype == np.asarray(expected).dtype


def test_strings_to_npy(get, refused):
    assert np.load(get("a.h5", "words")).tolist() == ["one", "zwölf", ""]


def test_strings_to_netcdf(get):
    with netCDF4.Dataset(get("a.h5", "words", "out.nc")) as dataset:
        assert dataset["words"][:].tolist() == ["one", "zwölf", ""]


def test_strings_to_zarr(get):
    array = zarr.open_group(get("a.h5", "words", "out.zarr"), mode="r")["words"]
    assert array[...].tolist() == ["one", "zwölf", ""]


def test_missing_values_in_npy_are_nan_or_filled(refused, get, folder):
    expected = decoded(folder)
    for fill in ((), ("--fill", "nan")):
        values = np.load(get("a.nc", "t", "out.npy", *fill, "--force"))
        assert np.array_equal(np.isnan(values), np.ma.getmaskarray(expected))
        assert np.array_equal(values[~np.isnan(values)], expected.compressed())


def test_missing_integers_in_npy_need_a_fill(refused):
    assert "--fill" in refused("a.nc", "counts")


def test_no_fill_is_needed_without_missing_values(get, folder):
    assert np.array_equal(np.load(get("a.nc", "t[0, :2]")), decoded(folder)[0, :2])


@pytest.mark.parametrize("fill", ["nan", "1e9", "300", "-1", "x", "0.5"])
def test_fill_beyond_the_dtype_fails(fill, refused):
    assert "--fill" in refused("a.nc", "counts", "out.npy", f"--fill={fill}")


@pytest.mark.parametrize("out", ["out.nc", "out.zarr", "out.h5", "out.npy"])
def test_fill_replaces_missing_values_in_every_format(out, get, folder):
    path = get("a.nc", "counts", out, "--fill=5")
    array = biggus.open(path, "counts" if out != "out.npy" else None)
    assert not np.ma.is_masked(array.masked_array())
    assert array.masked_array().tolist() == [0, 1, 2, 5, 4, 5, 6]


def test_netcdf_keeps_mask_dims_and_attributes(get, folder):
    out = get("a.nc", "t[1, ::-1, 2:]", "out.nc")
    expected = decoded(folder)[1, ::-1, 2:]
    with netCDF4.Dataset(out) as dataset:
        variable = dataset["t"]
        values = variable[:]
        assert variable.dimensions == ("y", "x")
        assert variable.dtype == np.int16
        with netCDF4.Dataset(folder / "a.nc") as source:
            assert variable.__dict__ == source["t"].__dict__
        assert variable.units == "degree_C"
    assert np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))
    assert np.array_equal(values.compressed(), expected.compressed())


def test_raw_values_keep_packing_attributes(get, folder):
    with netCDF4.Dataset(get("a.nc", "t[0]", "out.nc", "--raw")) as dataset:
        assert dataset["t"].dtype == np.int16
        assert dataset["t"].scale_factor == 0.01
        assert dataset["t"].add_offset == 10


@pytest.mark.parametrize("name", ["out.nc", "out.zarr"])
def test_coordinates_are_written(name, get, folder):
    with netCDF4.Dataset(folder / "named.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        for variable in ("x", "v"):
            dataset.createVariable(variable, "i4", ("x",))[:] = [3, 1, 4, 1]
    out = get("named.nc", "v[::-2]", name)
    assert biggus.open(out, "x").ndarray().tolist() == [1, 1]


@pytest.fixture
def packed(folder):
    """Write a file of variables that are packed in several ways; return its name."""
    with netCDF4.Dataset(folder / "packed.nc", "w") as dataset:
        dataset.createDimension("x", 6)
        for name, dtype, fill, attributes in (
            ("fill", "i2", -9, {"scale_factor": np.float32(0.1), "valid_max": np.int16(90)}),
            ("default", "i4", None, {"add_offset": 5.0}),
            ("missing", "i2", -1, {"missing_value": np.array([-9, -8], "i2")}),
            ("unsigned", "i1", -1, {"_Unsigned": "true", "scale_factor": 0.5}),
            ("unfilled", "u1", False, {}),
            ("nan", "f4", np.nan, {}),
        ):
            variable = dataset.createVariable(name, dtype, ("x",), fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts(attributes)
            least = 255 if name == "unfilled" else (np.nan if name == "nan" else -9)
            last = netCDF4.default_fillvals["i4"] if name == "default" else 99
            values = [-1, least, 3, 4, 50, last] if dtype != "u1" else [1, least, 3, 4, 50, 0]
            variable[:] = np.array(values, dtype)
    return "packed.nc"


@pytest.mark.parametrize("name", ["fill", "default", "missing", "unsigned", "unfilled", "nan"])
def test_raw_values_in_netcdf_decode_like_the_source(name, get, packed, folder):
    with netCDF4.Dataset(get(packed, name, "out.nc", "--raw")) as dataset:
        values = dataset[name][:]
        dataset.set_auto_maskandscale(False)
        stored = dataset[name][:]
    with netCDF4.Dataset(folder / packed) as dataset:
        expected = dataset[name][:]
        dataset.set_auto_maskandscale(False)
        assert np.array_equal(stored, dataset[name][:], equal_nan=True)
    assert values.dtype == expected.dtype
    assert np.ma.count_masked(values) == np.ma.count_masked(expected)
    assert bool(np.ma.count_masked(values)) == (name != "unfilled")
    assert np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))
    assert np.array_equal(np.ma.compressed(values), np.ma.compressed(expected))


@pytest.mark.parametrize(
    ("name", "fill"),
    [("fill", -9), ("nan", np.nan), ("unfilled", None), ("default", -2147483647), ("unsigned", -1)],
)
def test_raw_values_in_zarr_keep_the_fill_value(name, fill, get, packed, folder):
    array = zarr.open_group(get(packed, name, "out.zarr", "--raw"), mode="r")[name]
    assert array.metadata.fill_value == fill or np.isnan([array.metadata.fill_value, fill]).all()
    with netCDF4.Dataset(folder / packed) as dataset:
        variable = dataset[name]
        variable.set_auto_maskandscale(False)
        assert np.array_equal(array[...], variable[:], equal_nan=True)
        assert array.attrs.get("scale_factor") == getattr(variable, "scale_factor", None)


def test_zarr_keeps_fill_dims_and_attributes(get, folder):
    out = get("a.nc", "t[..., None]", "out.zarr")
    array = zarr.open_group(out, mode="r")["t"]
    expected = decoded(folder)[..., None]
    assert array.attrs["units"] == "degree_C"
    assert array.attrs["_ARRAY_DIMENSIONS"] == ["time", "y", "x", "dim_3"]
    assert array.attrs["scale_factor"] == 0.01
    values = array[...]
    assert values.dtype == np.int16
    assert np.array_equal(values == array.fill_value, np.ma.getmaskarray(expected))
    assert np.array_equal(biggus.open(out, "t").filled(0).ndarray(), expected.filled(0))


@pytest.mark.parametrize("suffix", [".npy", ".nc", ".zarr"])
def test_array_larger_than_a_block(suffix, tmp_path):
    numbers = np.arange(3 * 700 * 1000, dtype="i4").reshape(3, 700, 1000)
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file["numbers"] = numbers
    out = tmp_path / f"out{suffix}"
    assert main(["get", str(tmp_path / "large.h5"), "numbers[::-1]", "-o", str(out)]) == 0
    if suffix == ".npy":
        values = np.load(out)
    elif suffix == ".zarr":
        values = zarr.open_group(out, mode="r")["numbers"][...]
    else:
        with netCDF4.Dataset(out) as dataset:
            values = dataset["numbers"][...]
    assert np.array_equal(values, numbers[::-1])


@pytest.mark.parametrize("name", ["out.nc", "out.zarr"])
def test_values_equal_to_default_fills_are_not_masked(tmp_path, name):
    values = np.array([[0, 255, 17], [254, 255, 1]], "u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bytes"] = values
        file["shorts"] = np.array([1, -32767, 5], "i2")
        file["flags"] = values > 17
    for variable in ("bytes", "shorts", "flags"):
        out = tmp_path / variable / name
        out.parent.mkdir()
        assert main(["get", str(tmp_path / "a.h5"), variable, "-o", str(out)]) == 0
        got, expected = biggus.open(out, variable), biggus.open(tmp_path / "a.h5", variable)
        assert got.dtype == expected.dtype
        assert not np.ma.is_masked(got.masked_array())
        assert np.array_equal(got.ndarray(), expected.ndarray())
