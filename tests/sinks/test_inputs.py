"""Nothing is saved over its own input."""

from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import OutputError

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

VALUES = np.arange(12.0).reshape(3, 4)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(array, target, **options):
    with pytest.raises(OutputError, match="one of the inputs"):
        biggus.save(array, target, **options)


def expressions(a):
    """Yield arrays of the same shape that are made of another in every way there is."""
    yield a
    yield a[::-1]
    yield 2 * a + 1
    yield a - a.mean(axis=0)
    yield biggus.LinearMosaic([a[:1], biggus.ArrayAdapter(VALUES[1:].copy())], axis=0)
    yield biggus.ArrayStack([a[0], a[1], a[2]])
    yield a.astype("f4")


def test_memory_that_is_read_is_not_written():
    values = VALUES.copy()
    for array in expressions(biggus.ArrayAdapter(values)):
        refused(array, values)
        refused(array, values[:, ::-1])
    assert np.array_equal(values, VALUES)


def test_memory_beside_what_is_read_may_be_written():
    values = np.zeros((3, 8))
    values[:, ::2] = VALUES
    biggus.save(biggus.ArrayAdapter(values[:, ::2]) + 1, values[:, 1::2])
    assert np.array_equal(values[:, 1::2], VALUES + 1)


def test_a_masked_array_that_is_read_is_not_written():
    values = np.ma.masked_greater(VALUES, 5)
    refused(biggus.ArrayAdapter(values)[::-1], values)


def test_a_mapped_file_that_is_read_is_not_written():
    np.save("a.npy", VALUES)
    source, target = np.load("a.npy", mmap_mode="r"), np.load("a.npy", mmap_mode="r+")
    refused(biggus.ArrayAdapter(source)[::-1], target)
    refused(biggus.ArrayAdapter(source), "a.npy", overwrite=True)


def test_an_npy_file_that_is_read_is_not_written(tmp_path):
    np.save("a.npy", VALUES)
    (tmp_path / "b.npy").symlink_to("a.npy")
    for array in expressions(biggus.open("a.npy")):
        for target in ("a.npy", "b.npy"):
            refused(array, target, overwrite=True)
    assert np.array_equal(np.load("a.npy"), VALUES)
    biggus.save(biggus.open("a.npy") + 1, "c.npy")


def test_a_plain_object_that_is_read_is_not_written():
    class Own:
        shape, dtype = VALUES.shape, VALUES.dtype

        def __getitem__(self, box):
            return VALUES[box]

        def __setitem__(self, box, values):
            raise AssertionError

    own = Own()
    refused(biggus.ArrayAdapter(own) + 1, own)
    refused(biggus.ArrayAdapter(own, chunks=(1, 4)) + 1, own)
    refused(biggus.ArrayAdapter(own, token="own", cache=biggus.Cache("cache")), own)


def test_datasets():
    with h5py.File("a.h5", "w") as file:
        file["a"] = VALUES
        file["b"] = np.zeros((3, 4))
        a = biggus.ArrayAdapter(file["a"])
        for array in expressions(a):
            refused(array, file["a"])
        biggus.save(a + 1, file["b"])  # the file may be the same
        assert np.array_equal(file["b"][...], VALUES + 1)


def test_datasets_in_memory():
    files = [
        h5py.File("same.h5", "w", driver="core", backing_store=False, track_order=order)
        for order in (True,)
    ]
    file = files[0]
    file["a"] = VALUES
    refused(biggus.ArrayAdapter(file["a"]), file["/a"])
    file.close()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_zarr_arrays(kind, zarr_format):
    store = "a.zarr" if kind == "folder" else zarr.storage.MemoryStore()
    group = zarr.create_group(store=store, zarr_format=zarr_format)
    first = group.create_array("a", shape=(3, 4), dtype="f8", chunks=(2, 2))
    second = group.create_array("b", shape=(3, 4), dtype="f8", chunks=(2, 2))
    first[...] = VALUES
    a = biggus.ArrayAdapter(first)
    for array in expressions(a):
        refused(array, zarr.open_group(store)["a"])
    if kind == "folder":
        refused(biggus.open("a.zarr", "a"), first)
    biggus.save(a + 1, second)
    assert np.array_equal(second[...], VALUES + 1)
    other = zarr.create_group(store=zarr.storage.MemoryStore()).create_array(
        "a", shape=(3, 4), dtype="f8", chunks=(2, 2)
    )
    biggus.save(a, other)
    assert np.array_equal(other[...], VALUES)


def test_netcdf_variables():
    with netCDF4.Dataset("a.nc", "w") as dataset:
        dataset.createDimension("y", 3)
        dataset.createDimension("x", 4)
        for name in "ab":
            dataset.createVariable(name, "f8", ("y", "x"))[...] = VALUES
        a = biggus.ArrayAdapter(dataset["a"])
        for array in expressions(a):
            refused(array, dataset["a"])
        biggus.save(a + 1, dataset["b"])
        assert np.array_equal(dataset["b"][...], VALUES + 1)


@pytest.mark.parametrize("target", ["a.zarr", "a.zarr::a", "a.h5::a", "a.nc::a"])
def test_files_by_any_path(target):
    biggus.save(VALUES, target)
    path, _, name = target.partition("::")
    Path("folder").mkdir()
    Path("folder/link").symlink_to(Path(path).absolute())
    for opened in (path, Path(path).absolute(), "folder/link"):
        for array in expressions(biggus.open(opened, name or None)):
            refused(array, target, overwrite=True)
            refused(array, f"folder/../{target}", overwrite=True)
    assert np.array_equal(biggus.open(path, name or None).ndarray(), VALUES)


def test_a_cached_file():
    biggus.save(VALUES, "a.h5::a")
    array = biggus.open("a.h5", "a", cache=biggus.Cache("cache"))
    refused(array, "a.h5::a", overwrite=True)


def test_a_store_that_is_part_of_the_target():
    biggus.save(VALUES, "a.zarr::group/a")
    refused(biggus.open("a.zarr/group", "a"), "a.zarr::group/a", overwrite=True)


def test_an_input_of_one_array_is_no_target_of_another():
    values = VALUES.copy()
    refused([biggus.ArrayAdapter(values), VALUES + 1], [np.zeros((3, 4)), values])
