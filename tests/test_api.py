"""Opening stores, and reading them from the cache after they were deleted."""

from __future__ import annotations

import pickle
import shutil
import sys
import threading

import numpy as np
import pytest

import biggus
from biggus.errors import (
    CacheError,
    GoneError,
    MissingDependencyError,
    OfflineError,
    OpenError,
    OptionError,
    VariableError,
)
from biggus.sources.normal import normal_chunks

h5py = pytest.importorskip("h5py")

VALUES = np.arange(60, dtype="f4").reshape(6, 10)


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def store(tmp_path):
    """Make an HDF5 file of two variables."""
    path = tmp_path / "store.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=VALUES, chunks=(2, 5))
        file.create_dataset("group/b", data=VALUES[0])
    return path


@pytest.fixture
def cache(tmp_path):
    with biggus.Cache(tmp_path / "cache") as made:
        yield made


def rewrite(store, value):
    """Replace a store with a new file of another value, as most programs write."""
    new = store.with_suffix(".new")
    with h5py.File(new, "w") as file:
        file.create_dataset("a", data=np.full_like(VALUES, value), chunks=(2, 5))
    new.replace(store)


def test_open_matches_numpy(store, check_same):
    array = biggus.open(store, "a")
    assert array.grid == (2, 5)
    check_same(lambda: array[::-1, [0, 7]], lambda: VALUES[::-1, [0, 7]])
    check_same(lambda: biggus.open(str(store), "group/b"), lambda: VALUES[0])
    check_same(lambda: biggus.open(store.as_uri(), "a"), lambda: VALUES)
    check_same(lambda: biggus.open(store, "a", backend="hdf5"), lambda: VALUES)


def test_missing_or_ambiguous_variable_raises(store, tmp_path):
    with pytest.raises(VariableError, match="a, group/b"):
        biggus.open(store)
    with pytest.raises(VariableError, match="a, group/b"):
        biggus.open(store, "c")
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["only"] = VALUES
    assert biggus.open(tmp_path / "one.h5").shape == VALUES.shape
    h5py.File(tmp_path / "none.h5", "w").close()
    with pytest.raises(VariableError, match="no variable"):
        biggus.open(tmp_path / "none.h5")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("tempratures", "; did you mean 'Temperature'?"),
        ("TEMPERATURE", "; did you mean 'Temperature'?"),
        ("/temperature/", "; did you mean 'Temperature'?"),
        ("salinity", "; did you mean 'ocean/salinity'?"),
        ("SALINITY", "; did you mean 'ocean/salinity'?"),
        ("SST", "; did you mean 'sst'?"),
        ("nothing like it", ""),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".nc", ".zarr"])
def test_missing_variable_error_suggests_names(tmp_path, suffix, wanted, hint):
    names = ["Temperature", "ocean/salinity", "sst"]
    path = tmp_path / f"store{suffix}"
    if suffix == ".zarr":
        group = pytest.importorskip("zarr").create_group(path)
        for name in names:
            group.create_array(name, shape=(), dtype="f4")
    elif suffix == ".nc":
        with pytest.importorskip("netCDF4").Dataset(path, "w") as file:
            for name in names:
                file.createVariable(name, "f4", ())
    else:
        with h5py.File(path, "w") as file:
            for name in names:
                file[name] = 1.0
    with pytest.raises(VariableError) as caught:
        biggus.open(path, wanted)
    assert str(caught.value).count("did you mean") == bool(hint)
    before, listing = str(caught.value).split("; it has: ")
    assert before.endswith(hint)
    assert sorted(listing.split(", ")) == sorted(names)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("chunks", "error"),
    [("auto", TypeError), (("auto", 5), TypeError), ((None, 5), TypeError), (5, ValueError)],
)
def test_invalid_chunks_raise(store, chunks, error):
    with pytest.raises(error, match="chunks has one entry per axis"):
        biggus.open(store, "a", chunks=chunks)
    with pytest.raises(error, match="chunks has one entry per axis"):
        biggus.ArrayAdapter(VALUES, chunks=chunks)
    with pytest.raises(TypeError, match="chunks has one entry per axis"):
        normal_chunks(None, (6, 10))


@pytest.mark.parametrize("axis", ["time", None, 0.0, True, (0,)])
def test_axis_of_open_many_must_be_an_integer(store, axis):
    with pytest.raises(TypeError, match=r"an axis is (an integer, .*|given by its number,) not "):
        biggus.open_many([store], "a", axis=axis)


@pytest.mark.parametrize(
    ("location", "options", "error", "message"),
    [
        ("absent.h5", {}, GoneError, "no such file"),
        ("garbage", {}, OpenError, "no backend knows"),
        ("", {}, OpenError, "non-empty"),
        ("a\0b", {}, OpenError, "null"),
        ("folder", {}, OpenError, "no store"),
        ("gopher://host/x", {}, OpenError, "gopher"),
        ("https://host/tile.png", {"zoom": 1}, OpenError, "template"),
        ("https://host/data.nc", {}, OpenError, "tile templates .* Zarr stores .* download other"),
        ("d/[0-9]", {"variable": "v"}, GoneError, "no such file; `biggus.open_many`"),
        ("https://host/{z}/{x}/{y}.png", {}, OpenError, "zoom"),
        ("https://host/{z}/{x}/{y}.png", {"zoom": -1}, OpenError, "zoom"),
        ("https://host/{z}/{x}/{y}.png", {"zoom": 99}, OpenError, "zoom"),
        ("garbage", {"backend": "hdf5"}, OpenError, "garbage"),
        ("garbage", {"backend": "hfd5"}, OptionError, "did you mean 'hdf5'"),
    ],
)
def test_open_errors_are_helpful_one_liners(
    tmp_path, monkeypatch, location, options, error, message
):
    pytest.importorskip("urllib3")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "garbage").write_bytes(b"not a store")
    (tmp_path / "folder").mkdir()
    with pytest.raises(error, match=message) as caught:
        biggus.open(location, cache=False, **options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, biggus.BiggusError)


def _opened_by_xarray(location, **options):
    xr = pytest.importorskip("xarray")
    return xr.open_dataset(location, engine="biggus", backend_kwargs={"options": options})


@pytest.mark.parametrize(
    "opening",
    [
        biggus.open,
        biggus.open_dataset,
        biggus.info,
        biggus.variables,
        biggus.open_pyramid,
        _opened_by_xarray,
    ],
)
@pytest.mark.parametrize(
    ("pattern", "options"), [("*.h5", {}), ("*.nc", {}), ("*.h5", {"backend": "hdf5"})]
)
def test_pattern_for_one_location_names_the_functions_that_join(
    store, monkeypatch, opening, pattern, options
):
    monkeypatch.chdir(store.parent)
    remedy = "no such file; `biggus.open_many` .* `biggus.xarray.open`"
    with pytest.raises(GoneError, match=remedy):
        opening(pattern, **options)


def test_unknown_option_raises_type_error(store):
    with pytest.raises(TypeError, match="zoom"):
        biggus.open(store, "a", zoom=3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("store.nc", {"chunk": (1, 2)}, "the netcdf backend has no option 'chunk'; did you mean"),
        ("store.nc", {"chunk": (1, 2)}, r"`chunks=`\? \(it has no options of its own\)$"),
        (
            "store.nc",
            {"zom": 9},
            r"^the netcdf backend has no option 'zom' \(it has no options of its own\)$",
        ),
        ("store.h5", {"chunk": (1, 2)}, r"did you mean `chunks=`\? \(its options: swmr\)$"),
        ("store.zarr", {"chunk": (1, 2)}, r"no option 'chunk'.* did you mean `chunks=` or "),
        ("https://host/a.zarr", {"chunk": 1}, r"^the zarr .* 'chunk'; did you mean `chunks=` or "),
        (
            "https://host/{z}/{x}/{y}.png",
            {"zom": 9},
            r"^the tiles backend has no option 'zom'; did you mean `zoom=`\? \(its options: zoom, ",
        ),
    ],
)
@pytest.mark.parametrize("variable", ["a", None])
def test_unknown_option_error_suggests_options(
    store, tmp_path, monkeypatch, name, options, message, variable
):
    netcdf = pytest.importorskip("netCDF4")
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("urllib3")
    monkeypatch.chdir(tmp_path)
    with netcdf.Dataset("store.nc", "w") as file:
        file.createVariable("a", "f4", ())
    zarr.create_group("store.zarr").create_array("a", shape=(2,), dtype="f4")
    with pytest.raises(TypeError, match=message) as caught:
        biggus.open(name, variable, cache=False, **options)
    assert isinstance(caught.value, biggus.BiggusError)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_chunk_memory")
def test_local_stores_are_cached_only_on_request(store, cache):
    biggus.open(store, "a").ndarray()
    assert cache.stats().entries == 0
    array = biggus.open(store, "a", cache=cache)
    array[0].ndarray()
    assert cache.stats().entries == 2
    array[0].ndarray()
    assert (cache.stats().hits, cache.stats().misses) == (2, 2)


def test_cache_option_applies_to_all_opened_arrays(store, cache):
    with biggus.set_options(cache=cache):
        biggus.open(store, "a").ndarray()
        biggus.open(store, "a", cache=False)[0].ndarray()
    assert cache.stats().misses == 6
    with biggus.set_options(cache=False):
        biggus.open(store, "a").ndarray()
    assert cache.stats().hits == 0


def test_changed_file_is_a_cache_miss(store, cache):
    assert biggus.open(store, "a", cache=cache)[0, 0].item() == 0
    rewrite(store, 99)
    assert biggus.open(store, "a", cache=cache)[0, 0].item() == 99


@pytest.mark.parametrize("variable", ["a", "group/b"])
def test_deleted_store_opens_from_the_cache(store, cache, variable):
    array = biggus.open(store, variable, cache=cache)
    values = array.ndarray()
    store.unlink()
    again = biggus.open(store, variable, cache=cache)
    assert (again.shape, again.dtype, again.grid) == (array.shape, array.dtype, array.grid)
    np.testing.assert_array_equal(again.ndarray(), values)
    with pytest.raises(GoneError):
        biggus.open(store, variable)
    with pytest.raises(GoneError):
        biggus.open(store, "other", cache=cache)


def test_uncached_chunk_of_a_deleted_store_raises(store, cache):
    biggus.open(store, "a", cache=cache)[0].ndarray()
    store.unlink()
    again = biggus.open(store, "a", cache=cache)
    np.testing.assert_array_equal(again[1].ndarray(), VALUES[1])
    with pytest.raises(OfflineError, match=r"store\.h5::a \[4:6, 0:5\]"):
        again[5, 0].ndarray()


def test_chunks_of_an_older_state_are_not_used(store, cache):
    biggus.open(store, "a", cache=cache).ndarray()
    rewrite(store, -1)
    biggus.open(store, "a", cache=cache)[0].ndarray()
    store.unlink()
    again = biggus.open(store, "a", cache=cache)
    assert (again[0].ndarray() == -1).all()
    with pytest.raises(OfflineError):
        again[5].ndarray()


def test_chunks_argument(store, cache):
    array = biggus.open(store, "a", chunks=(6, 10), cache=cache)
    np.testing.assert_array_equal(array[1].ndarray(), VALUES[1])
    assert cache.stats().entries == 1
    assert array.grid == (6, 10)
    with pytest.raises(ValueError, match="chunks"):
        biggus.open(store, "a", chunks=(6,))


def test_h5py_dataset_is_adapted(store, cache, check_same):
    with h5py.File(store) as file:
        array = biggus.ArrayAdapter(file["a"], cache=cache)
        assert array.grid == (2, 5)
        check_same(lambda: array[1:, 3], lambda: VALUES[1:, 3])
        assert cache.stats().entries > 0
        coarse = biggus.ArrayAdapter(file["a"], chunks=(3, 10), lock=threading.Lock())
        assert coarse.grid == (3, 10)
        check_same(lambda: coarse, lambda: VALUES)


def test_caching_needs_a_token(cache, recorded):
    with pytest.raises(CacheError, match="token="):
        biggus.ArrayAdapter(VALUES, cache=cache)
    source = recorded(VALUES)
    array = biggus.ArrayAdapter(source, token="sixty numbers", cache=cache, chunks=(3, 10))
    np.testing.assert_array_equal(array.ndarray(), VALUES)
    other = biggus.ArrayAdapter(
        recorded(VALUES), token="sixty numbers", cache=cache, chunks=(3, 10)
    )
    np.testing.assert_array_equal(other.ndarray(), VALUES)
    assert len(source.boxes) == 2
    np.testing.assert_array_equal(
        biggus.ArrayAdapter(VALUES, token="in memory", cache=cache).ndarray(), VALUES
    )


@pytest.mark.parametrize("several", [["a.h5", "b.h5"], ("a.h5",), {"a.h5"}, iter(["a.h5"])])
def test_several_locations_are_for_open_many(several):
    with pytest.raises(TypeError, match="open_many"):
        biggus.open(several, "a")


@pytest.mark.parametrize("wrong", [None, 3, b"a.h5"])
def test_invalid_location_types_raise(wrong):
    with pytest.raises(TypeError, match="a location is a string or a path, not "):
        biggus.open(wrong, "a")


def test_cloud_store_needs_fsspec(monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependencyError, match=r"^reading s3 URLs .*biggus\[cloud\]"):
        biggus.open("s3://bucket/store.zarr", "a", cache=False)


def test_packed_and_decoded_variables_share_cached_chunks(tmp_path, cache):
    netcdf = pytest.importorskip("netCDF4")
    path = tmp_path / "packed.nc"
    with netcdf.Dataset(path, "w") as file:
        file.createDimension("x", 6)
        variable = file.createVariable("v", "i2", ("x",), fill_value=-9)
        variable.scale_factor, variable.add_offset = 0.5, 10.0
        variable.set_auto_maskandscale(False)
        variable[:] = [0, 1, -9, 3, 4, 5]
    decoded = biggus.open(path, "v", cache=cache)
    assert decoded.masked
    assert decoded.dtype == "f8"
    np.testing.assert_array_equal(decoded.ndarray(), [10, 10.5, np.nan, 11.5, 12, 12.5])
    packed = biggus.open(path, "v", cache=cache, decode=False)
    np.testing.assert_array_equal(packed.ndarray(), [0, 1, -9, 3, 4, 5])
    assert (cache.stats().hits, cache.stats().misses) == (1, 1)
    path.unlink()
    again = biggus.open(path, "v", cache=cache).masked_array()
    np.testing.assert_array_equal(again.mask, [0, 0, 1, 0, 0, 0])


def test_deleted_zarr_store_opens_from_the_cache(tmp_path, cache):
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "store.zarr"
    written = zarr.create_array(str(path), shape=(6, 10), chunks=(2, 5), dtype="f4")
    written[...] = VALUES
    array = biggus.open(path, cache=cache)
    np.testing.assert_array_equal(array.ndarray(), VALUES)
    shutil.rmtree(path)
    np.testing.assert_array_equal(biggus.open(path, cache=cache).ndarray(), VALUES)
    with pytest.raises(biggus.BiggusError):
        biggus.open(path)


def test_invalid_description_in_the_cache_is_ignored(store, cache):
    biggus.open(store, "a", cache=cache)
    ((name, description),) = [pair for pair in cache.descriptions() if "location" in pair[1]]
    del description["dtype"]
    cache.remember(name, description)
    store.unlink()
    with pytest.raises(GoneError):
        biggus.open(store, "a", cache=cache)
