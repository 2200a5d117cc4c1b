"""Opened variables are remembered by all options that change values, and by no others."""

import json
import shutil
import threading
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.backends import Location
from biggus.backends.hdf5 import HDF5Backend
from biggus.backends.identity import without_secrets
from biggus.errors import BackendOptionError, GoneError, OfflineError, VariableError

VALUES = np.arange(12, dtype="i2").reshape(3, 4)


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def cache(tmp_path):
    with biggus.Cache(tmp_path / "cache") as made:
        yield made


def write_hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["v"] = VALUES
        file["v"].attrs["scale_factor"] = 0.5


def write_netcdf(path):
    netcdf = pytest.importorskip("netCDF4")
    with netcdf.Dataset(path, "w") as file:
        file.createDimension("y", 3)
        file.createDimension("x", 4)
        variable = file.createVariable("v", "i2", ("y", "x"))
        variable.scale_factor = 0.5
        variable.set_auto_maskandscale(False)
        variable[:] = VALUES


def write_zarr(path):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(path)
    group.create_array("v", data=VALUES, attributes={"scale_factor": 0.5})


# --- deleted files ----------------------------------------------------------

LOCAL = {"hdf5": (write_hdf5, "a.h5"), "netcdf": (write_netcdf, "a.nc"), "zarr": (write_zarr, "a")}
WAYS = [
    {"variable": "v"},
    {"variable": "/v"},
    {},
    {"variable": "v", "backend": True},
    {"variable": "v/", "backend": True},
    {"backend": True},
]


@pytest.mark.parametrize("first", range(len(WAYS)))
@pytest.mark.parametrize("kind", LOCAL)
def test_deleted_store_opens_with_any_equivalent_arguments(tmp_path, cache, kind, first):
    write, name = LOCAL[kind]
    path = tmp_path / name
    write(path)

    def opened(variable=None, backend=False, **options):
        chosen = kind if backend else None
        return biggus.open(path, variable, backend=chosen, cache=cache, **options)

    right = opened(**WAYS[first])
    values = right.masked_array()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    for way in WAYS:
        if "variable" not in way and "variable" in WAYS[first]:
            # The name was given, so the store may have other variables.
            with pytest.raises(GoneError):
                opened(**way)
            continue
        found = opened(**way)
        assert found.dtype == right.dtype
        np.testing.assert_array_equal(found.masked_array(), values)
    with pytest.raises((BackendOptionError, GoneError)):
        opened("v", nothing=1)


@pytest.mark.parametrize("kind", LOCAL)
def test_deleted_store_opens_as_a_dataset(tmp_path, cache, kind):
    write, name = LOCAL[kind]
    path = tmp_path / name
    write(path)
    right = biggus.open_dataset(path, cache=cache)
    values = right["v"].masked_array()
    with pytest.raises(VariableError):
        biggus.open_dataset(path, "nothing", cache=cache)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = biggus.open_dataset(path, cache=cache)
    assert (list(found), found.sizes, found.attrs) == (list(right), right.sizes, right.attrs)
    np.testing.assert_array_equal(found["v"].masked_array(), values)
    with pytest.raises(GoneError):
        biggus.open_dataset(path, cache=False)
    with pytest.raises(GoneError):
        biggus.open_dataset(path, "group", cache=cache)


def test_store_of_a_server_opens_in_xarray_offline(tmp_path, url, cache):
    xr = pytest.importorskip("xarray")
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "served/x.zarr"
    group = zarr.create_group(path, zarr_format=2, attributes={"title": "seas"})
    group.create_array("v", data=VALUES, attributes={"_ARRAY_DIMENSIONS": ["y", "x"]})
    zarr.consolidate_metadata(path)

    def opened():
        return xr.open_dataset(f"{url}/x.zarr", engine="biggus")

    with biggus.set_options(cache=cache):
        right = opened().load()
        with biggus.offline():
            xr.testing.assert_identical(opened().load(), right)
    with biggus.offline(), pytest.raises(GoneError, match="not in the cache"):
        xr.open_dataset(
            f"{url}/x.zarr", engine="biggus", backend_kwargs={"options": {"cache": False}}
        )


def test_options_that_change_values_are_distinguished(tmp_path, cache):
    write_netcdf(tmp_path / "a.nc")
    raw = biggus.open(tmp_path / "a.nc", "v", backend="hdf5", decode=False, cache=cache)
    np.testing.assert_array_equal(raw.ndarray(), VALUES)
    (tmp_path / "a.nc").unlink()
    # The netcdf backend, which unpacks values, is the default for this file.
    for options in ({}, {"backend": "netcdf"}):
        with pytest.raises(GoneError):
            biggus.open(tmp_path / "a.nc", "v", cache=cache, **options)
    again = biggus.open(tmp_path / "a.nc", "v", backend="hdf5", decode=False, cache=cache)
    np.testing.assert_array_equal(again.ndarray(), VALUES)


def test_last_opened_store_at_a_location_is_remembered(tmp_path, cache):
    path = tmp_path / "a"
    write_zarr(path)
    biggus.open(path, cache=cache).ndarray()
    shutil.rmtree(path)
    write_hdf5(path)
    biggus.open(path, cache=cache)[:1].ndarray()
    path.unlink()
    found = biggus.open(path, cache=cache)
    assert str(found.node.children[0].source.token).startswith("hdf5:")
    np.testing.assert_array_equal(found.ndarray(), VALUES * 0.5)


def test_cache_info_does_not_count_records(tmp_path, cache, capsys):
    from biggus.cli.command import main

    write_hdf5(tmp_path / "a.h5")
    biggus.open(tmp_path / "a.h5", cache=cache).ndarray()
    assert main(["cache", "info", "--path", str(cache.path)]) == 0
    words = capsys.readouterr().out.split()
    assert words[words.index("variables") + 1] == "1"
    assert main(["cache", "list", "--path", str(cache.path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


# --- servers ----------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def url(tmp_path):
    pytest.importorskip("urllib3")
    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


INERT = [
    {"timeout": 5.0},
    {"timeout": (1, 2)},
    {"retries": 0},
    {"connections": 2},
    {"fresh_for": 86400},
    {"headers": {"Authorization": "s3cret"}},
    {"backend": "zarr"},
    {"decode": True},
    {"absent": (404, 410)},
    {"absent": ()},
]


def test_connection_options_do_not_change_identity(url, tmp_path, cache):
    write_zarr(tmp_path / "served/s.zarr")
    right = biggus.open(f"{url}/s.zarr?sig=1", "v", cache=cache, retries=1).ndarray()
    with biggus.set_options(offline=True):
        for options in INERT:
            for location in (f"{url}/s.zarr?sig=1", f"{url}/s.zarr/", f"{url}/s.zarr//?sig=2"):
                for variable in ("v", "/v"):
                    found = biggus.open(location, variable, cache=cache, **options).ndarray()
                    np.testing.assert_array_equal(found, right)
        raw = biggus.open(f"{url}/s.zarr", "v", cache=cache, decode=False)
        np.testing.assert_array_equal(raw.ndarray(), VALUES)
        for options in ({"absent": 403}, {"zarr_format": 2}):
            with pytest.raises(GoneError, match="offline"):
                biggus.open(f"{url}/s.zarr", "v", cache=cache, **options)
        with pytest.raises(BackendOptionError, match="no option 'retrise'"):
            biggus.open(f"{url}/s.zarr", "v", cache=cache, retrise=0)
        with pytest.raises(VariableError):
            biggus.open(f"{url}/s.zarr", "../v", cache=cache)
    assert not [name for name, _ in cache.descriptions() if "s3cret" in name or "sig" in name]


TILES = {
    "zoom": [1, 2],
    "tile_size": [8, 16],
    "bands": [3, 4],
    "missing": ["raise", 0, (255, 0, 0), [0, 255, 0]],
    "absent": [(), 403, (403, 200)],
}
ASKING = [
    {"dtype": np.uint8},
    {"dtype": "uint8"},
    {"timeout": 3},
    {"retries": 0},
    {"connections": 2},
    {"fresh_for": timedelta(days=3)},
    {"headers": {"X-Key": "s3cret"}},
    {"subdomains": ["x", "y"]},
    {"user_agent": "me"},
    {"backend": "tiles"},
    {"missing": "raise", "absent": 403},
]


def test_filled_tiles_are_not_used_where_errors_are_expected(url, cache):
    pytest.importorskip("PIL")
    template = url + "/{z}/{x}/{y}.png"
    opened = partial(biggus.open, template, zoom=1, tile_size=8, cache=cache)
    filled = opened(missing=(255, 0, 0))
    assert (filled.ndarray() == [255, 0, 0]).all()
    with biggus.set_options(offline=True):
        assert (opened(missing=[255, 0, 0]).ndarray() == [255, 0, 0]).all()
        for other in ("raise", 0, (255, 0, 1), (0, 255, 0)):
            with pytest.raises(OfflineError):
                opened(missing=other).ndarray()


def test_command_line_passes_several_numbers(url, cache, tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    from biggus.cli.command import main

    monkeypatch.chdir(tmp_path)
    template = url + "/{z}/{x}/{y}.png"
    given = ["-O", "missing=255,0,0", "-O", "absent=403,200", "-O", "timeout=1,2", "--zoom", "1"]
    folder = ["--cache", str(cache.path)]
    assert main(["get", template, "[0,0]", "-o", "out.npy", "--force", *given, *folder]) == 0
    assert np.load("out.npy").tolist() == [255, 0, 0]


def tile_identity(**options):
    for package in ("urllib3", "PIL"):
        pytest.importorskip(package)
    backend = biggus.backends.backend_named("tiles")
    location = Location("https://me:pw@h/{z}/{x}/{y}.png?key=k&style=a")
    return json.dumps(backend.identity(location, None, **{"zoom": 1, "missing": 9, **options}))


@pytest.mark.parametrize("option", TILES)
def test_tile_options_that_change_values_change_identity(option):
    names = [tile_identity(**{option: value}) for value in TILES[option]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("options", ASKING)
def test_other_tile_options_do_not_change_identity(options):
    base = {"missing": "raise"} if "missing" in options else {}
    given = {name: value for name, value in options.items() if name != "backend"}
    assert tile_identity(**given) == tile_identity(**base)
    assert "pw" not in tile_identity()
    assert "key=k" not in tile_identity()


def test_fsspec_endpoints_change_identity_but_credentials_do_not():
    from biggus.backends.zarr.remote import variant_of

    location = Location("s3://bucket/s.zarr")

    def variant(**storage):
        return variant_of(location, {"storage_options": storage} if storage else {})

    assert variant() == variant(anon=True, key="s3cret", secret="s", token="t", profile="p") == ""
    ends = [variant(client_kwargs={"endpoint_url": f"https://{n}"}) for n in "ab"]
    assert len({"", *ends}) == 3
    with_key = variant(client_kwargs={"aws_secret_access_key": "s", "endpoint_url": "https://a"})
    assert with_key == ends[0]
    assert variant_of(location, {"retries": 1, "absent": [404]}) == ""
    assert variant_of(location, {"absent": 403}) != ""


# --- any backend --------------------------------------------------------------------------------

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
DEEP = st.recursive(
    PLAIN | st.sampled_from([np.uint8, np.int16, np.dtype("i4"), np.float32(0.5), b"x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)


def listed(value):
    """Return a form that is equal for equivalent values."""
    if isinstance(value, dict):
        return {"dict": {name: listed(item) for name, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [listed(item) for item in value]
    return f"{type(value)} {value!r}"


@given(DEEP, DEEP)
def test_different_options_are_distinguished(one, other):
    names = [json.dumps(without_secrets({"a": value}), sort_keys=True) for value in (one, other)]
    assert (names[0] == names[1]) == (listed(one) == listed(other))


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "api_key", "token"]), DEEP))
def test_order_and_secrets_do_not_change_identity(options):
    backwards = dict(reversed(options.items()))
    public = {name: v for name, v in options.items() if name not in ("api_key", "token")}
    names = {
        json.dumps(HDF5Backend().identity(Location("/a.h5"), "v", **given), sort_keys=True)
        for given in (options, backwards, public)
    }
    assert len(names) == 1
