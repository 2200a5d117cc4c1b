"""Offline mode: opening, reading and revalidating send no requests; a real server counts them."""

import json
import os
import pickle
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")

from tile_server import FolderServer, Reply

import biggus
from biggus import options
from biggus.backends.http import client as http
from biggus.backends.http.client import HttpClient, HttpError, HttpSettings, OfflineHttpError
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.backends.zarr.backend import ZarrBackend
from biggus.errors import GoneError, OfflineError
from biggus.sources.base import read, whole

DATA = np.arange(600.0).reshape(20, 30)
OFFLINE = "biggus is set to be offline"


@pytest.fixture
def server(tmp_path):
    root = zarr.create_group(tmp_path / "served/s.zarr")
    root.create_array("plain", data=DATA, chunks=(7, 8), attributes={"units": "K"})
    root.create_array("sharded", data=DATA, chunks=(5, 5), shards=(10, 15))
    serving = FolderServer(tmp_path / "served").start()
    yield serving
    serving.stop()


@pytest.fixture
def silence(server):
    """Return a context in which biggus is offline and the server must receive no requests."""

    class Silence(biggus.set_options):
        def __init__(self):
            super().__init__(offline=True)

        def __enter__(self):
            self.before = server.connections, sum(server.requests.values())
            return super().__enter__()

        def __exit__(self, *exc_info):
            super().__exit__(*exc_info)
            assert (server.connections, sum(server.requests.values())) == self.before

    # Return the class, because creating an instance sets the options at once.
    return Silence


@pytest.fixture
def cache(tmp_path):
    with biggus.Cache(tmp_path / "cache") as made:
        yield made


def tiles(server, **options):
    return biggus.open(
        server.url + "/RGB/{z}/{x}/{y}.png?size=8",
        zoom=3,
        **{"tile_size": 8, "retries": 0, **options},
    )


def message_of(action, error):
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "offline" in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    return message


# --- tiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [np.s_[3:5, :4], np.s_[:20, 5:40], np.s_[:]])
def test_uncached_tiles_raise_without_requests(server, silence, key):
    planet = tiles(server, cache=False)
    with silence():
        message = message_of(planet[key].ndarray, OfflineError)
        assert OFFLINE in message
        assert server.url in message
        message_of(tiles(server, cache=False)[key].ndarray, OfflineError)
    assert planet[:4, :4].ndarray().shape == (4, 4, 3)


def test_reader_threads_are_offline_too(server, silence):
    source = TilesBackend().open(
        Location(server.url + "/RGB/{z}/{x}/{y}.png?size=8"), zoom=3, tile_size=8
    )
    with silence(), pytest.raises(OfflineError, match=OFFLINE):
        read(source, whole(source.shape))


@pytest.mark.parametrize("reduced", [False, True])
def test_error_lists_the_missing_chunks(server, silence, cache, reduced):
    planet = tiles(server, cache=cache)
    planet[:8, 8:16].ndarray()
    wanted = planet[:9, :24]
    with silence():
        message = message_of(wanted.max().ndarray if reduced else wanted.ndarray, OfflineError)
        assert "in all 5 chunks are missing" in message
        for region in ("[0:8, 0:8, 0:3]", "[0:8, 16:24, 0:3]", "[8:16, 8:16, 0:3]"):
            assert f" {region}" in message.partition("missing:")[2]
        message = message_of(planet[:4, :4].ndarray, OfflineError)
        assert "in all" not in message
        message = message_of(planet.ndarray, OfflineError)
        assert message.endswith(", ...")
        assert "in all 63 chunks are missing" in message
        assert len(message) < 5000


def test_expired_tiles_are_used(server, silence, cache, caplog):
    planet = tiles(server, cache=cache, fresh_for=0)
    values = planet[4:20, 4:20].ndarray()
    server.salt = 1
    caplog.clear()
    with silence():
        for again in (planet, tiles(server, cache=cache, fresh_for=0)):
            np.testing.assert_array_equal(again[4:20, 4:20].ndarray(), values)
            message_of(again[:, 4].ndarray, OfflineError)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
    assert (planet[4:20, 4:20].ndarray() != values).any()


def test_expired_tiles_are_revalidated_without_requests(server, silence):
    source = TilesBackend().open(
        Location(server.url + "/RGB/{z}/{x}/{y}.png?size=8"), zoom=3, tile_size=8, fresh_for=0
    )
    box = (slice(0, 24, 1), slice(0, 24, 1), slice(0, 3, 1))
    held = source.fetch(box)[1]
    with silence():
        assert source.revalidate(box, held) == held
        assert not source.revalidation_waits(box, held)
        assert source.revalidate(box, b"[]") is None
    assert source.revalidation_waits(box, held)


# --- Zarr -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["plain", "sharded"])
def test_cached_zarr_store_is_opened_and_read(server, silence, cache, variable):
    url = f"{server.url}/s.zarr"
    online = biggus.open(url, variable, cache=cache, fresh_for=0)
    np.testing.assert_array_equal(online[:10].ndarray(), DATA[:10])
    with silence():
        for array in (online, biggus.open(url, variable, cache=cache, fresh_for=0)):
            assert array.shape == DATA.shape
            np.testing.assert_array_equal(array[2:9, 3:].ndarray(), DATA[2:9, 3:])
            message_of(array.ndarray, OfflineError)
    np.testing.assert_array_equal(online.ndarray(), DATA)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("variable", ["plain", None])
def test_uncached_zarr_store_cannot_be_opened(server, silence, cache, cached, variable):
    with silence():
        message = message_of(
            lambda: biggus.open(
                f"{server.url}/s.zarr?sig=s3cret", variable, cache=cache if cached else False
            ),
            GoneError,
        )
    assert f"{OFFLINE}, and this is not in the cache" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("variable", ["plain", "sharded"])
@pytest.mark.parametrize("key", [np.s_[:], np.s_[1:3, 2:4]])
def test_open_zarr_array_without_a_cache_raises(server, silence, variable, key):
    array = biggus.open(f"{server.url}/s.zarr", variable, cache=False)
    with silence():
        message = message_of(array[key].ndarray, OfflineError)
    assert f"{server.url}/s.zarr::{variable}" in message
    np.testing.assert_array_equal(array[key].ndarray(), DATA[key])


def test_expired_zarr_chunks_are_revalidated_without_requests(server, silence):
    source = ZarrBackend().open(Location(f"{server.url}/s.zarr"), "plain", fresh_for=0)
    box = (slice(0, 14, 1), slice(0, 8, 1))
    held = source.fetch(box)[1]
    with silence():
        assert source.revalidate(box, held) == held
        assert not source.revalidation_waits(box, held)
    assert source.revalidation_waits(box, held)


# --- stores of fsspec -------------------------------------------------------------------------


@pytest.fixture
def loopback(server):
    """Return the class of an fsspec file system that reads from the server."""
    fsspec = pytest.importorskip("fsspec")

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    class Loopback(fsspec.AbstractFileSystem):
        protocol = "loopback"
        cachable = False

        def cat_file(self, path, start=None, end=None, **_):
            url = f"{server.url}/{self._strip_protocol(path)}"
            try:
                with direct.open(url) as answer:
                    return answer.read()[start:end]
            except urllib.error.HTTPError as error:
                raise FileNotFoundError(path) from error

        def info(self, path, **_):
            return {"name": path, "size": len(self.cat_file(path)), "type": "file"}

    fsspec.register_implementation("loopback", Loopback, clobber=True)
    yield Loopback
    sys.modules["fsspec.registry"]._registry.pop("loopback")


def test_fsspec_store(server, silence, loopback, cache):
    def open_loopback(**options):
        return biggus.open("loopback://s.zarr", "plain", backend="zarr", **options)

    with silence():
        message_of(lambda: open_loopback(cache=False), GoneError)
        message_of(lambda: open_loopback(cache=cache), GoneError)
    plain, kept = open_loopback(cache=False), open_loopback(cache=cache, fresh_for=0)
    np.testing.assert_array_equal(kept[:7].ndarray(), DATA[:7])
    with silence():
        message_of(plain.ndarray, OfflineError)
        np.testing.assert_array_equal(kept[:7].ndarray(), DATA[:7])
        np.testing.assert_array_equal(
            open_loopback(cache=cache, fresh_for=0)[:7].ndarray(), DATA[:7]
        )
        message_of(kept.ndarray, OfflineError)
    np.testing.assert_array_equal(plain.ndarray(), DATA)


def test_adopted_remote_zarr_array(server, silence, loopback):
    wrapper = pytest.importorskip("fsspec.implementations.asyn_wrapper")
    store = zarr.storage.FsspecStore(
        wrapper.AsyncFileSystemWrapper(loopback(), asynchronous=True), read_only=True, path="s.zarr"
    )
    array = zarr.open_array(zarr.storage.LoggingStore(store), path="plain", mode="r")
    adapted = biggus.ArrayAdapter(array)
    np.testing.assert_array_equal(adapted[:3].ndarray(), DATA[:3])
    with silence():
        message_of(adapted.ndarray, OfflineError)
        message_of(lambda: biggus.ArrayAdapter(array), GoneError)
    np.testing.assert_array_equal(adapted.ndarray(), DATA)


# --- the rest ---------------------------------------------------------------------------------


def test_local_stores_are_read(server, silence):
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(store, data=DATA, chunks=(7, 8))
    path = server.folder / "s.zarr"
    with silence():
        np.testing.assert_array_equal(biggus.open(path, "sharded").ndarray(), DATA)
        np.testing.assert_array_equal(biggus.open(path.as_uri(), "plain").ndarray(), DATA)
        np.testing.assert_array_equal(biggus.ArrayAdapter(array).ndarray(), DATA)


def test_going_offline_ends_retries(server, monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(options, "_process", options._Process())
    server.always = Reply(503)
    failed = []

    def request():
        try:
            HttpClient(HttpSettings(retries=100)).get(server.url + "/a")
        except HttpError as error:
            failed.append(error)

    thread = threading.Thread(target=request)
    thread.start()
    while not server.requests:
        thread.join(0.01)
    biggus.set_options(offline=True)
    thread.join(30)
    (error,) = failed
    assert type(error) is OfflineHttpError
    assert OFFLINE in str(error)
    assert sum(server.requests.values()) < 100


@pytest.mark.machine
def test_command_line_obeys_the_environment_variable(server, tmp_path):
    url, template = f"{server.url}/s.zarr", server.url + "/RGB/{z}/{x}/{y}.png"
    folder = str(tmp_path / "cache")

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "biggus", *arguments],
            env={**os.environ, "BIGGUS_CACHE_DIR": folder, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    out = str(tmp_path / "out.npy")
    get = ("get", url, "plain[:3]", "-o", out)
    info = ("info", url, "plain", "--json")
    for arguments in (info, get, ("get", template, "--zoom", "2", "[:9, :9]", "-o", out)):
        done = run(*arguments, BIGGUS_OFFLINE="1")
        assert done.returncode != 0
        assert "offline" in done.stderr
        assert "Traceback" not in done.stderr
    assert server.connections == 0
    assert not server.requests
    assert run(*get).returncode == 0
    online = run(*info)
    before = server.connections
    again = run(*info, BIGGUS_OFFLINE="1")
    assert json.loads(again.stdout) == json.loads(online.stdout)
    assert run(*get, "--force", BIGGUS_OFFLINE="1").returncode == 0
    np.testing.assert_array_equal(np.load(out), DATA[:3])
    assert server.connections == before


def test_cause_of_an_offline_error_pickles():
    from biggus.backends.zarr.http import OfflineConnectionError

    error = OfflineConnectionError()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
