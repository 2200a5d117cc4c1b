"""Zarr stores on a real web server on the loopback interface."""

from __future__ import annotations

import functools
import logging
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from zarr_samples import BACKEND, open_zarr
from zarr_server import status

from biggus.backends.location import Location
from biggus.backends.zarr import bodies
from biggus.errors import GoneError, OpenError, SourceError, VariableError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")
from zarr_remote import BOX, DATA, age, broken


@pytest.fixture
def server(store_server):
    return store_server


def consolidate(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize(
    "name", ["s.zarr|plain", "s.zarr|g/sharded", "two.zarr|/", "s.zarr/g|sharded"]
)
def test_values(server, name, ranges):
    server.ranges = ranges
    store, variable = name.split("|")
    url = f"{server.url}/{store}"
    assert BACKEND.claims(Location(url)) == BACKEND.BY_SUFFIX
    source = open_zarr(url, variable)
    assert source.remote
    assert source.shape == DATA.shape
    np.testing.assert_array_equal(read(source, BOX), DATA[BOX])
    corner = (slice(1, 4, 1), slice(2, 5, 1))
    np.testing.assert_array_equal(read(source, corner), DATA[corner])


def test_listing_needs_consolidated_metadata(server):
    url = f"{server.url}/s.zarr"
    with pytest.raises(OpenError, match="name the variable"):
        BACKEND.variables(Location(url))
    with pytest.raises(VariableError, match="'nonesuch'"):
        open_zarr(url, "nonesuch")
    consolidate(server.folder / "s.zarr")
    assert BACKEND.variables(Location(url)) == ("g/sharded", "plain", "sparse")
    with pytest.raises(VariableError, match="g/sharded, plain, sparse"):
        open_zarr(url, "nonesuch")
    assert BACKEND.variables(Location(f"{server.url}/two.zarr")) == ("/",)
    zarr.create_group(server.folder / "v2.zarr", zarr_format=2).create_array("a", data=DATA)
    consolidate(server.folder / "v2.zarr")
    assert BACKEND.variables(Location(f"{server.url}/v2.zarr")) == ("a",)
    for action in (BACKEND.variables, lambda at: BACKEND.open(at, "a")):
        with pytest.raises(GoneError):
            action(Location(f"{server.url}/missing.zarr"))


def test_chunk_never_written(server):
    source = open_zarr(f"{server.url}/s.zarr", "sparse")
    server.requests.clear()
    assert read(source, whole((8,))).tolist() == [-9, -9, 1, 1, -9, -9, -9, -9]
    # Reading the metadata again confirms that the store exists, so that chunks are absent.
    assert server.paths()[-1] == "/s.zarr/sparse/zarr.json"
    server.requests.clear()
    assert read(source, (slice(2, 4, 1),)).tolist() == [1, 1]
    assert server.paths() == ["/s.zarr/sparse/c/1"]


def test_deleted_store_raises(server):
    source = open_zarr(f"{server.url}/s.zarr", "plain")
    shutil.rmtree(server.folder / "s.zarr")
    with pytest.raises(SourceError, match="gone") as caught:
        read(source, BOX)
    assert "[3:17:2, 5:30:3]" in str(caught.value)


PAGE = b"<!doctype html><title>Please log in</title>"


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b"x" * 100)
    handler.close_connection = True


FAILURES = {
    "403": (status(403), "403"),
    "500": (status(500), "500"),
    "429": (status(429), "429"),
    "204": (status(204), "204"),
    "login page": (status(200, PAGE, **{"Content-Type": "text/html"}), "HTML page"),
    "page without a type": (status(200, PAGE), None),
    "empty": (status(200), "cut short: .*absent=200"),
    "cut body": (cut, "shorter than announced"),
    "broken connection": (broken, None),
    "wrong range": (status(206, b"x" * 64, **{"Content-Range": "bytes 7-70/999"}), None),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failed_requests_raise(server, name):
    answer, reason = FAILURES[name]
    source = open_zarr(f"{server.url}/s.zarr", "plain", retries=1)
    chunk = "/s.zarr/plain/c/0/1"
    server.failures[chunk] = [10**6, answer]
    box = (slice(0, 1, 1), slice(0, 30, 1))
    for requested in (box, (slice(0, 1, 1), slice(8, 9, 1))):
        with pytest.raises(SourceError, match=reason) as caught:
            read(source, requested)
        assert source.name in str(caught.value)
    del server.failures[chunk]
    np.testing.assert_array_equal(read(source, box), DATA[box])


@pytest.mark.parametrize("name", ["500", "429", "cut body", "broken connection"])
def test_temporary_failures_are_retried(server, name):
    source = open_zarr(f"{server.url}/s.zarr", "plain")
    chunk = "/s.zarr/plain/c/0/0"
    server.failures[chunk] = [2, FAILURES[name][0]]
    server.requests.clear()
    box = (slice(0, 7, 1), slice(0, 8, 1))
    np.testing.assert_array_equal(read(source, box), DATA[box])
    assert server.paths() == [chunk] * 3


def test_html_instead_of_metadata_raises(server):
    page = status(200, PAGE, **{"Content-Type": "text/html"})
    server.failures["/s.zarr/plain/zarr.json"] = [10**6, page]
    with pytest.raises(OpenError, match="HTML page"):
        open_zarr(f"{server.url}/s.zarr", "plain")


def test_refused_connection_raises_gone_error():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for action in (BACKEND.variables, lambda at, **kw: BACKEND.open(at, "a", **kw)):
        with pytest.raises(GoneError, match="connection") as caught:
            action(Location(f"http://127.0.0.1:{port}/a.zarr"), retries=0)
        assert "\n" not in str(caught.value)


def test_silent_server_times_out(server):
    stuck = threading.Event()
    server.failures["/s.zarr/plain/c/0/0"] = [10**6, lambda handler: stuck.wait(20)]
    source = open_zarr(f"{server.url}/s.zarr", "plain", timeout=0.2, retries=0)
    with pytest.raises(SourceError, match="no answer within"):
        read(source, (slice(0, 1, 1), slice(0, 1, 1)))
    stuck.set()


def test_credentials_are_sent_but_not_shown(server, caplog):
    caplog.set_level(logging.DEBUG)
    host = server.url.removeprefix("http://")
    url = f"http://me:pa55@{host}/s.zarr?sig=s3cret&v=1"
    assert BACKEND.claims(Location(url)) == BACKEND.BY_SUFFIX
    source = open_zarr(url, "plain", headers={"X-Key": "h1dden"}, retries=0)
    np.testing.assert_array_equal(read(source, BOX), DATA[BOX])
    path, headers = server.requests[-1]
    assert path.endswith("?sig=s3cret&v=1")
    assert headers["Authorization"].startswith("Basic ")
    assert headers["X-Key"] == "h1dden"
    shown = [source.name, source.token, repr(source), str(source.fetch(BOX)[1])]
    server.failures["/s.zarr/plain/c/0/1"] = [10**6, broken]
    with pytest.raises(SourceError) as caught:
        read(source, BOX)
    error = caught.value
    while error is not None:
        shown.append(str(error))
        error = error.__cause__
    with pytest.raises(VariableError) as missing:
        open_zarr(url, "nonesuch", headers={"X-Key": "h1dden"})
    shown += [
        str(missing.value),
        "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("biggus")),
    ]
    for text in shown:
        for secret in ("pa55", "s3cret", "h1dden"):
            assert secret not in text
    assert source.token == open_zarr(f"{server.url}/s.zarr?v=1", "plain").token


def test_eight_threads(server):
    source = open_zarr(f"{server.url}/s.zarr", "g/sharded")
    parts = [(slice(i, i + 3, 1), slice(j, j + 7, 2)) for i in range(17) for j in (0, 4, 20)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(functools.partial(read, source), parts)
        for part, values in zip(parts, found, strict=True):
            np.testing.assert_array_equal(values, DATA[part])


def test_pickles_and_reads_in_a_spawned_process(server, tmp_path):
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=5)
    again = pickle.loads(pickle.dumps(source))
    assert again.fresh_for == 5
    (tmp_path / "source.pickle").write_bytes(pickle.dumps(source))
    code = (
        "import pickle, sys; from biggus.sources.base import read, whole;"
        "s = pickle.load(open(sys.argv[1], 'rb')); print(read(s, whole(s.shape)).sum())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "source.pickle")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert float(done.stdout) == DATA.sum()


@pytest.mark.parametrize("sharded", [False, True])
def test_killed_server_process(tmp_path, monkeypatch, sharded):
    """Served by the server of the standard library, which does not support ranges."""
    monkeypatch.setattr(bodies, "TRUSTED_SECONDS", 0.0)
    shards = (10, 15) if sharded else None
    zarr.create_array(tmp_path / "a.zarr", data=DATA, chunks=(5, 5), shards=shards)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = int(process.stdout.readline().split("port ")[1].split()[0])
        url = f"http://127.0.0.1:{port}/a.zarr"
        source = open_zarr(url, retries=1, fresh_for=100)
        values, validator = source.fetch(BOX)
        np.testing.assert_array_equal(values, DATA[BOX])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with pytest.raises(SourceError, match="connection"):
        read(source, BOX)
    assert source.revalidate(BOX, age(validator, 200)) == age(validator, 200)
    with pytest.raises(GoneError):
        open_zarr(url, retries=0)


def test_fsspec_memory_store():
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    store = zarr.storage.MemoryStore()
    zarr.create_array(store, data=DATA, chunks=(5, 5), shards=(10, 15), name="a")
    try:
        for key, value in store._store_dict.items():
            fs.pipe_file(f"/test-zarr-remote.zarr/{key}", value.to_bytes())
        source = open_zarr("memory://test-zarr-remote.zarr", "a", fresh_for=100)
        np.testing.assert_array_equal(read(source, BOX), DATA[BOX])
        corner = (slice(1, 4, 1), slice(2, 5, 1))
        values, validator = source.fetch(corner)
        np.testing.assert_array_equal(values, DATA[corner])
        assert source.revalidate(corner, validator) == validator
        assert source.revalidate(corner, age(validator, 200)) is None
        fs.rm("/test-zarr-remote.zarr", recursive=True)
        with pytest.raises(SourceError, match="gone"):
            read(source, corner)
        with pytest.raises(GoneError):
            open_zarr("memory://test-zarr-remote.zarr", "a")
    finally:
        if fs.exists("/test-zarr-remote.zarr"):
            fs.rm("/test-zarr-remote.zarr", recursive=True)


def test_scheme_of_a_missing_package(monkeypatch):
    pytest.importorskip("fsspec")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(OpenError, match="s3fs"):
        open_zarr("s3://bucket/a.zarr", "a")


@pytest.mark.parametrize(
    "option",
    [{"headers": 3}, {"connections": "x"}, {"retries": -1}, {"fresh_for": "x"}, {"timeout": "x"}],
)
def test_unusable_options_are_named(option):
    [name] = option
    with pytest.raises(OpenError, match=f"`{name}=` .*"):
        BACKEND.variables(Location("http://127.0.0.1:9/a.zarr"), **option)
