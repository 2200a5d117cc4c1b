"""Saving an array over one of its inputs raises."""

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


def check_refused(array, target, **options):
    with pytest.raises(OutputError, match="one of the inputs"):
        biggus.save(array, target, **options)


def expressions(a):
    """Yield arrays of the same shape that are derived from `a` in different ways."""
    yield a
    yield a[::-1]
    yield 2 * a + 1
    yield a - a.mean(axis=0)
    yield biggus.LinearMosaic([a[:1], biggus.ArrayAdapter(VALUES[1:].copy())], axis=0)
    yield biggus.ArrayStack([a[0], a[1], a[2]])
    yield a.astype("f4")


def test_ndarray_input_as_target_raises():
    values = VALUES.copy()
    for array in expressions(biggus.ArrayAdapter(values)):
        check_refused(array, values)
        check_refused(array, values[:, ::-1])
    assert np.array_equal(values, VALUES)


def test_interleaved_view_of_the_input_may_be_written():
    values = np.zeros((3, 8))
    values[:, ::2] = VALUES
    biggus.save(biggus.ArrayAdapter(values[:, ::2]) + 1, values[:, 1::2])
    assert np.array_equal(values[:, 1::2], VALUES + 1)


def test_masked_array_input_as_target_raises():
    values = np.ma.masked_greater(VALUES, 5)
    check_refused(biggus.ArrayAdapter(values)[::-1], values)


def test_memmap_input_as_target_raises():
    np.save("a.npy", VALUES)
    source, target = np.load("a.npy", mmap_mode="r"), np.load("a.npy", mmap_mode="r+")
    check_refused(biggus.ArrayAdapter(source)[::-1], target)
    check_refused(biggus.ArrayAdapter(source), "a.npy", overwrite=True)


def test_npy_input_as_target_raises(tmp_path):
    np.save("a.npy", VALUES)
    (tmp_path / "b.npy").symlink_to("a.npy")
    for array in expressions(biggus.open("a.npy")):
        for target in ("a.npy", "b.npy"):
            check_refused(array, target, overwrite=True)
    assert np.array_equal(np.load("a.npy"), VALUES)
    biggus.save(biggus.open("a.npy") + 1, "c.npy")


def test_plain_object_input_as_target_raises():
    class Own:
        shape, dtype = VALUES.shape, VALUES.dtype

        def __getitem__(self, box):
            return VALUES[box]

        def __setitem__(self, box, values):
            raise AssertionError

    own = Own()
    check_refused(biggus.ArrayAdapter(own) + 1, own)
    check_refused(biggus.ArrayAdapter(own, chunks=(1, 4)) + 1, own)
    check_refused(biggus.ArrayAdapter(own, token="own", cache=biggus.Cache("cache")), own)


def test_hdf5_dataset_input_as_target_raises():
    with h5py.File("a.h5", "w") as file:
        file["a"] = VALUES
        file["b"] = np.zeros((3, 4))
        a = biggus.ArrayAdapter(file["a"])
        for array in expressions(a):
            check_refused(array, file["a"])
        biggus.save(a + 1, file["b"])  # the file may be the same
        assert np.array_equal(file["b"][...], VALUES + 1)


def test_hdf5_dataset_in_memory_as_target_raises():
    files = [
        h5py.File("same.h5", "w", driver="core", backing_store=False, track_order=order)
        for order in (True,)
    ]
    file = files[0]
    file["a"] = VALUES
    check_refused(biggus.ArrayAdapter(file["a"]), file["/a"])
    file.close()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_zarr_array_input_as_target_raises(kind, zarr_format):
    store = "a.zarr" if kind == "folder" else zarr.storage.MemoryStore()
    group = zarr.create_group(store=store, zarr_format=zarr_format)
    first = group.create_array("a", shape=(3, 4), dtype="f8", chunks=(2, 2))
    second = group.create_array("b", shape=(3, 4), dtype="f8", chunks=(2, 2))
    first[...] = VALUES
    a = biggus.ArrayAdapter(first)
    for array in expressions(a):
        check_refused(array, zarr.open_group(store)["a"])
    if kind == "folder":
        check_refused(biggus.open("a.zarr", "a"), first)
    biggus.save(a + 1, second)
    assert np.array_equal(second[...], VALUES + 1)
    other = zarr.create_group(store=zarr.storage.MemoryStore()).create_array(
        "a", shape=(3, 4), dtype="f8", chunks=(2, 2)
    )
    biggus.save(a, other)
    assert np.array_equal(other[...], VALUES)


def test_netcdf_variable_input_as_target_raises():
    with netCDF4.Dataset("a.nc", "w") as dataset:
        dataset.createDimension("y", 3)
        dataset.createDimension("x", 4)
        for name in "ab":
            dataset.createVariable(name, "f8", ("y", "x"))[...] = VALUES
        a = biggus.ArrayAdapter(dataset["a"])
        for array in expressions(a):
            check_refused(array, dataset["a"])
        biggus.save(a + 1, dataset["b"])
        assert np.array_equal(dataset["b"][...], VALUES + 1)


@pytest.mark.parametrize("target", ["a.zarr", "a.zarr::a", "a.h5::a", "a.nc::a"])
def test_input_file_by_any_path_as_target_raises(target):
    biggus.save(VALUES, target)
    path, _, name = target.partition("::")
    Path("folder").mkdir()
    Path("folder/link").symlink_to(Path(path).absolute())
    for opened in (path, Path(path).absolute(), "folder/link"):
        for array in expressions(biggus.open(opened, name or None)):
            check_refused(array, target, overwrite=True)
            check_refused(array, f"folder/../{target}", overwrite=True)
    assert np.array_equal(biggus.open(path, name or None).ndarray(), VALUES)


def test_cached_input_file_as_target_raises():
    biggus.save(VALUES, "a.h5::a")
    array = biggus.open("a.h5", "a", cache=biggus.Cache("cache"))
    check_refused(array, "a.h5::a", overwrite=True)


def test_input_group_inside_the_target_store_raises():
    biggus.save(VALUES, "a.zarr::group/a")
    check_refused(biggus.open("a.zarr/group", "a"), "a.zarr::group/a", overwrite=True)


def test_input_of_one_array_as_target_of_another_raises():
    values = VALUES.copy()
    check_refused([biggus.ArrayAdapter(values), VALUES + 1], [np.zeros((3, 4)), values])
