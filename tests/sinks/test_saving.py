"""New stores are read back by their formats' own libraries and by biggus."""

from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError, OutputError

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

SHAPE = (7, 10)
NUMBERS = np.arange(70).reshape(SHAPE)
DTYPES = ["?", "i1", "u2", ">i4", "i8", "u8", "f2", ">f4", "f8", "c8", ">c16", "M8[s]", "m8[h]"]
TARGETS = ["out.npy", "out.zarr", "out.zarr::a/b", "out.h5::a/b", "out.nc::a/b"]


def files_here():
    return sorted(path.name for path in Path().iterdir())


def values_of(dtype):
    return NUMBERS % 3 == 0 if np.dtype(dtype).kind == "?" else NUMBERS.astype(dtype)


def missing(values):
    return np.ma.MaskedArray(values.copy(), mask=NUMBERS % 4 == 1)


def lazy(values, chunks=(3, 4)):
    return biggus.ArrayAdapter(values, chunks=chunks)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, which holds no partial files at the end."""
    monkeypatch.chdir(tmp_path)
    yield
    assert [name for name in files_here() if "partial" in name or name.endswith(".old")] == []


def stored(target):
    """Read a target with the library of its format."""
    path, _, name = target.partition("::")
    if path.endswith(".npy"):
        return np.load(path)
    if path.endswith(".zarr"):
        return zarr.open(path, mode="r", **({"path": name} if name else {}))[...]
    if path.endswith(".h5"):
        with h5py.File(path) as file:
            return file[name][()]
    with netCDF4.Dataset(path) as dataset:
        return dataset[name][...]


def opened(target):
    path, _, name = target.partition("::")
    return biggus.open(path, name or None)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(target, dtype):
    values = values_of(dtype)
    if ".nc" in target and values.dtype.kind in "cMm":
        with pytest.raises(OutputError, match="cannot store values of dtype"):
            biggus.save(lazy(values), target)
        assert files_here() == []
        return
    biggus.save(lazy(values), target)
    found = stored(target)
    assert found.shape == values.shape
    assert np.array_equal(found, values)
    if ".nc" not in target:
        assert found.dtype == values.dtype
    assert np.array_equal(opened(target).ndarray(), values)


@pytest.mark.parametrize("target", TARGETS)
def test_scalar_and_empty_array(target):
    biggus.save(lazy(NUMBERS).mean(), target)
    assert stored(target) == NUMBERS.mean()
    biggus.save(lazy(NUMBERS)[4:4], target, overwrite=True)
    assert np.shape(stored(target)) == (0, 10)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["f4", ">f8"])
def test_missing_floats(target, dtype):
    values = missing(values_of(dtype))
    biggus.save(lazy(values), target)
    if "h5" in target or "npy" in target:
        assert np.array_equal(stored(target), values.filled(np.nan), equal_nan=True)
    if "npy" in target:
        return
    found = opened(target).masked_array()
    assert np.array_equal(found.mask, values.mask)
    assert np.array_equal(found.compressed(), values.compressed())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["i2", "u4", "i8"])
def test_missing_integers(target, dtype):
    values = missing(values_of(dtype))
    if "npy" in target:
        with pytest.raises(MaskedValueError, match=r"out\.npy"):
            biggus.save(lazy(values), target)
        assert files_here() == []
        return
    biggus.save(lazy(values), target)
    if "h5" in target:
        with h5py.File("out.h5") as file:
            fill = file["a/b"].attrs["_FillValue"]
            assert file["a/b"].fillvalue == fill
            assert np.array_equal(file["a/b"][...], values.filled(fill))
    found = opened(target).masked_array()
    assert np.array_equal(found.mask, values.mask)
    assert np.array_equal(found.compressed(), values.compressed())


@pytest.mark.parametrize("target", ["out.zarr", "out.nc::a"])
def test_fill_value_is_kept(target):
    values = missing(NUMBERS)
    values.fill_value = -5
    biggus.save(lazy(values), target)
    assert opened(target).fill_value == -5


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["U", "O"])
def test_strings(target, dtype):
    words = np.array(["one", "zwölf", "", "x"], dtype)
    if ".npy" in target and dtype == "O":
        with pytest.raises(OutputError):
            biggus.save(lazy(words, (3,)), target)
        return
    biggus.save(lazy(words, (3,)), target)
    assert opened(target).ndarray().tolist() == words.tolist()


@pytest.mark.parametrize("target", ["out.npy", "out.zarr", "out.h5::a"])
def test_bytes(target):
    words = np.array([b"one", b"two", b""])
    biggus.save(lazy(words, (2,)), target)
    assert stored(target).dtype == words.dtype
    assert np.array_equal(stored(target), words)


@pytest.mark.parametrize("target", ["out.npy", "out.h5::a"])
def test_structured_dtypes(target):
    values = np.zeros(5, [("x", "i4"), ("y", ">f8")])
    values["x"], values["y"] = range(5), 0.5
    biggus.save(lazy(values, (2,)), target)
    assert np.array_equal(stored(target), values)


def test_objects_other_than_strings_raise():
    with pytest.raises(OutputError, match="other than strings"):
        biggus.save(lazy(np.array([1, "a"], object), (2,)), "out.h5::a")
    assert files_here() == []


@pytest.mark.parametrize("path", ["out.zarr", "out.h5", "out.nc"])
def test_several_arrays_in_one_file(path, recorded):
    source = recorded(NUMBERS.astype("f8"))
    a = biggus.ArrayAdapter(source, chunks=(3, 4))
    biggus.save(
        [a, a.mean(axis=0), a[:, 3:] * 2], [f"{path}::a", f"{path}::g/mean", f"{path}::g/b"]
    )
    assert np.array_equal(stored(f"{path}::a"), NUMBERS)
    assert np.array_equal(stored(f"{path}::g/mean"), NUMBERS.mean(axis=0))
    assert np.array_equal(stored(f"{path}::g/b"), NUMBERS[:, 3:] * 2)
    assert files_here() == [path]


def test_several_files_and_an_object():
    a, target = lazy(NUMBERS), np.zeros(SHAPE)
    biggus.save([a, a + 1, a + 2], ["a.npy", "b.h5::b", target])
    assert np.array_equal(np.load("a.npy"), NUMBERS)
    assert np.array_equal(stored("b.h5::b"), NUMBERS + 1)
    assert np.array_equal(target, NUMBERS + 2)


@pytest.mark.parametrize("path", ["out.zarr", "out.h5", "out.nc"])
@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("/a", "a")])
def test_conflicting_names_raise(path, first, second):
    with pytest.raises(OutputError, match="one store"):
        biggus.save([NUMBERS, NUMBERS], [f"{path}::{first}", f"{path}::{second}"])
    assert files_here() == []


@pytest.mark.parametrize(
    "target",
    [
        *("out.h5", "out.nc", "out.nc::", "out.npy::a", "out", "out.tiff", "no/out.npy"),
        *("s3://bucket/out.zarr", "https://host/out.zarr::a", "out.zarr::../a", "out.h5::a//b"),
    ],
)
def test_invalid_locations_raise(target):
    with pytest.raises(OutputError, match="cannot write"):
        biggus.save(NUMBERS, target)
    assert files_here() == []


def test_path_object_as_target(tmp_path):
    biggus.save(NUMBERS, tmp_path / "out.npy")
    assert np.array_equal(np.load("out.npy"), NUMBERS)


@pytest.mark.parametrize("target", TARGETS)
def test_overwrite_replaces_an_existing_store(target):
    biggus.save(lazy(NUMBERS), target)
    with pytest.raises(OutputError, match="overwrite=True"):
        biggus.save(lazy(NUMBERS) + 1, target)
    assert np.array_equal(stored(target), NUMBERS)
    biggus.save(lazy(NUMBERS)[1:] + 2, target, overwrite=True)
    assert np.array_equal(stored(target), NUMBERS[1:] + 2)
    assert len(files_here()) == 1


@pytest.mark.parametrize("path", ["out.zarr", "out.h5", "out.nc"])
def test_overwrite_of_a_store_with_other_arrays_raises(path):
    biggus.save([NUMBERS, NUMBERS], [f"{path}::a", f"{path}::b"])
    with pytest.raises(OutputError, match="would be lost: b"):
        biggus.save(lazy(NUMBERS) + 1, f"{path}::a", overwrite=True)
    assert np.array_equal(stored(f"{path}::a"), NUMBERS)


def test_overwrite_of_a_folder_without_a_store_raises(tmp_path):
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr" / "precious").write_text("mine")
    with pytest.raises(OutputError, match="without a Zarr store"):
        biggus.save(NUMBERS, "out.zarr", overwrite=True)
    assert (tmp_path / "out.zarr" / "precious").read_text() == "mine"


@pytest.mark.parametrize("path", ["out.zarr", "out.h5"])
def test_chunks_default_to_those_of_the_array(path):
    a = biggus.ArrayAdapter(np.zeros((10, 600, 200)), chunks=(10, 300, 100))
    biggus.save([a, a + 1, a[:, 1:], a[0, 0, :9]], [f"{path}::{name}" for name in "abcd"])
    if path == "out.zarr":
        group = zarr.open_group(path, mode="r")
        found = [group[name].chunks for name in "abcd"]
    else:
        with h5py.File(path) as file:
            found = [file[name].chunks for name in "abcd"]
    assert found[:3] == [(10, 300, 100)] * 3
    assert found[3] == (9,)


@pytest.mark.parametrize("target", ["out.zarr::b", "out.h5::b", "out.nc::b"])
def test_dims_and_attributes_are_kept(target):
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("time", 7)
        dataset.createDimension("x", 10)
        variable = dataset.createVariable("t", "i2", ("time", "x"), fill_value=-99)
        variable.units = "K"
        variable.scale_factor = 0.5
        variable[...] = NUMBERS
    a = biggus.open("in.nc", "t")
    biggus.save(a[::2].T, target)
    path = target.partition("::")[0]
    if path == "out.zarr":
        attributes = dict(zarr.open_group(path, mode="r")["b"].attrs)
        dims = attributes["_ARRAY_DIMENSIONS"]
    elif path == "out.h5":
        with h5py.File(path) as file:
            attributes = dict(file["b"].attrs)
            dims = [dim.label for dim in file["b"].dims]
    else:
        with netCDF4.Dataset(path) as dataset:
            attributes = dataset["b"].__dict__
            dims = list(dataset["b"].dimensions)
    assert dims == ["x", "time"]
    assert attributes["units"] == "K"
    assert attributes["scale_factor"] == 0.5
    biggus.save(a.mean(axis=0), "mean.zarr::/")
    mean = zarr.open_array("mean.zarr", mode="r")
    expected = {"units": "K", "cell_methods": "time: mean"}
    assert dict(mean.attrs) == {"_ARRAY_DIMENSIONS": ["x"], **expected}


@pytest.mark.parametrize("target", ["out.zarr::t", "out.nc::t"])
def test_packed_values_stay_packed(target):
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("t", "i2", ("x",), fill_value=-99)
        variable.scale_factor = 0.5
        variable[...] = np.ma.masked_equal([1.0, 2.5, 7.0, 3.0], 7)
    biggus.save(biggus.open("in.nc", "t", decode=False), target)
    found = opened(target)
    assert found.masked_array().tolist() == [1.0, 2.5, None, 3.0]
    path, _, name = target.partition("::")
    assert biggus.open(path, name, decode=False).ndarray().tolist() == [2, 5, -99, 6]


@pytest.mark.parametrize("dtype", ["c8", "M8[s]"])
def test_missing_complex_numbers_and_times_in_zarr(dtype):
    values = missing(values_of(dtype))
    biggus.save(lazy(values), "out.zarr")
    found = opened("out.zarr").masked_array()
    if dtype == "c8":
        assert np.array_equal(found.mask, values.mask)
    else:
        assert np.array_equal(np.isnat(found.data), values.mask)
    assert np.array_equal(found[~values.mask], values[~values.mask])


@pytest.mark.parametrize("target", ["out.h5::a", "out.nc::a"])
def test_unsupported_attribute_is_left_out(target, caplog):
    with h5py.File("in.h5", "w") as file:
        dataset = file.create_dataset("a", data=NUMBERS)
        dataset.attrs["flag"] = True
        dataset.attrs["units"] = "K"
    array = biggus.open("in.h5", "a")
    inside = array.node.source.source
    inside.attributes = {**inside.attributes, "mixed": [[1], "a"]}
    biggus.save(array, target)
    assert np.array_equal(stored(target), NUMBERS)
    assert "leaving out the attribute mixed" in caplog.text
    attributes = biggus.open(*target.split("::"), decode=False).node.source.attributes
    assert attributes["units"] == "K"
    assert attributes["flag"] == 1


def test_one_file_by_two_paths():
    biggus.save(
        [NUMBERS, NUMBERS + 1], ["out.h5::a", "../" + Path().absolute().name + "/out.h5::b"]
    )
    assert np.array_equal(stored("out.h5::a") + 1, stored("out.h5::b"))


def test_dimensions_of_one_name_and_different_lengths():
    a = biggus.ArrayAdapter(np.zeros((3, 4)))
    biggus.save([a, a.T, a[0]], ["o.nc::a", "o.nc::b", "o.nc::c"])
    with netCDF4.Dataset("o.nc") as dataset:
        assert [dataset[name].shape for name in "abc"] == [(3, 4), (4, 3), (4,)]


@pytest.mark.parametrize("target", TARGETS)
def test_array_larger_than_a_block(target):
    values = np.arange(3 * 700 * 1000, dtype="f4").reshape(3, 700, 1000)
    with biggus.set_options(workers=4):
        biggus.save(biggus.ArrayAdapter(values, chunks=(1, 300, 1000)) + 1, target)
    assert np.array_equal(stored(target), values + 1)


@pytest.mark.parametrize("target", ["new.h5", "new.nc"])
def test_target_without_a_name_uses_the_name_of_the_source(target):
    with h5py.File("old.h5", "w") as file:
        file["sst"] = NUMBERS
    array = biggus.open("old.h5", "sst")
    plan = biggus.plan_save(array[1:], target)
    biggus.save(array[1:], target)
    assert [each.read_bytes for each in plan.passes]
    np.testing.assert_array_equal(biggus.open(target, "sst").ndarray(), NUMBERS[1:])
    with pytest.raises(OutputError, match="name the array in it, as in other"):
        biggus.save(lazy(NUMBERS), "other" + target)
