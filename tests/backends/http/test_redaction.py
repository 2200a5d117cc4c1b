"""Secrets are sent to the server, and do not appear in logs, errors, files or output."""

import logging
import os
import pickle
import subprocess
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("PIL")
urllib3 = pytest.importorskip("urllib3")
zarr = pytest.importorskip("zarr")

from tile_server import FolderServer, Reply

import biggus
from biggus.backends.http import client as http
from biggus.backends.http.client import HttpClient, HttpError, HttpSettings
from biggus.backends.http.redaction import redacted
from biggus.errors import BiggusError, OpenError

SECRET = "s3cret"
NAMES = [
    "tk",
    "ak",
    "authkey",
    "apitoken",
    "sessiontoken",
    "clientsecret",
    "secretkey",
    "userkey",
    "app_code",
    "pass",
    "sas",
]
DATA = np.arange(600.0).reshape(20, 30)


@pytest.fixture
def server(tmp_path):
    zarr.create_group(tmp_path / "served/s.zarr").create_array("a", data=DATA, chunks=(7, 8))
    serving = FolderServer(tmp_path / "served").start()
    yield serving
    serving.stop()


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)


@pytest.fixture
def logged_text(caplog):
    """Return a function that returns the text of all log records of all levels."""
    caplog.set_level(logging.DEBUG)
    formatter = logging.Formatter("%(name)s %(message)s")
    return lambda: "\n".join(map(formatter.format, caplog.records))


def with_secrets(server, path):
    host = server.url.replace("//", f"//me:{SECRET}-user@")
    further = "".join(f"&{name}={SECRET}-{name}" for name in NAMES)
    known = f"api_key={SECRET}-q'(1)&X-Amz-Signature={SECRET}%2Fq;sig={SECRET}"
    return f"{host}{path}?size=8&{known}{further}"


def open_with_secrets(server, kind, cache=False, **options):
    all_options = {
        "cache": cache,
        "headers": {"X-Key": f"{SECRET}-header"},
        "retries": 1,
        **options,
    }
    if kind == "zarr":
        return biggus.open(with_secrets(server, "/s.zarr"), "a", **all_options)
    template = with_secrets(server, "/RGB/{z}/{x}/{y}.png")
    return biggus.open(template, zoom=2, tile_size=8, **all_options)


def text_of_error(error):
    """Return all texts of an error: traceback, repr, arguments, causes, and its pickle."""
    pickled = pickle.dumps(error)
    again = pickle.loads(pickled)
    texts = [*traceback.format_exception(error), repr(error), repr(again), *map(repr, error.args)]
    # Some libraries also send the causes and contexts of an error.
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None:
            texts.append(repr(one))
            waiting += [one.__cause__, one.__context__]
    return "\n".join(texts) + pickled.decode("latin-1")


def text_of_request(server, **settings):
    """Return the text of a request's response or error."""
    try:
        client = HttpClient(HttpSettings(**settings))
        return repr(client.get(with_secrets(server, "/RGB/1/0/1.png")))
    except HttpError as error:
        return text_of_error(error)


@pytest.mark.parametrize("kind", ["tiles", "zarr"])
def test_secrets_are_sent_but_not_logged(server, logged_text, kind):
    open_with_secrets(server, kind)[:9, :9].ndarray()
    path, headers = server.seen[-1]
    assert f"api_key={SECRET}-q'(1)" in path
    assert headers["X-Key"] == f"{SECRET}-header"
    assert headers["Authorization"].startswith("Basic ")
    text = logged_text()
    assert SECRET not in text
    # The rest of the log is readable.
    assert "urllib3.connectionpool http://127.0.0.1" in text
    assert "size=8&api_key=***&X-Amz-Signature=***" in text


@pytest.mark.parametrize("elsewhere", [False, True])
def test_redirects_log_no_secrets(server, logged_text, elsewhere):
    target = f"/RGB/1/0/1.png?size=8&token={SECRET}-there"
    if elsewhere:
        target = f"http://you:{SECRET}@localhost:{server.server_port}{target}"
    url = with_secrets(server, "/old")
    server.replies[urlsplit(url).path + "?" + urlsplit(url).query] = [
        Reply(302, headers={"Location": target})
    ]
    assert HttpClient().get(url).status == 200
    assert server.seen[-1][0].endswith(f"token={SECRET}-there")
    text = logged_text()
    assert SECRET not in text
    assert "token=***" in text


@pytest.mark.parametrize("reply", [Reply(503), Reply(429), Reply(hang_up=True), Reply(claims=9999)])
def test_retries_log_no_secrets(server, logged_text, reply):
    server.always = reply
    assert SECRET not in text_of_request(server, retries=2)
    assert sum(server.requests.values()) == 3
    assert SECRET not in logged_text()
    assert "attempt 2" in logged_text()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.HTTPWarning")
def test_broken_headers_log_no_secrets(server, logged_text):
    server.always = Reply(headers={"Bad\r\n Header": "x\r\n\x00y: 1"})
    assert SECRET not in text_of_request(server, retries=0)
    assert SECRET not in logged_text()


def test_logs_of_other_requests_are_unchanged(server, logged_text):
    HttpClient().get(with_secrets(server, "/RGB/1/0/1.png"))
    before = logged_text()
    url = f"{server.url}/RGB/1/0/1.png?api_key=theirs"
    urllib3.PoolManager().request("GET", url)
    assert "api_key=theirs" in logged_text().removeprefix(before)
    logging.getLogger("urllib3.connectionpool").warning("%s is %d", "api_key=a&key=b", 1)
    assert "api_key=a&key=b is 1" in logged_text()


def test_secrets_are_hidden_after_log_filters_are_cleared(server, logged_text):
    HttpClient().get(with_secrets(server, "/RGB/1/0/1.png"))
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("urllib3"):
            logging.getLogger(name).filters.clear()
    HttpClient(HttpSettings(connections=3)).get(with_secrets(server, "/RGB/1/0/1.png"))
    assert SECRET not in logged_text()


@pytest.mark.parametrize("kind", ["tiles", "zarr"])
def test_cache_folder_holds_no_secrets(server, tmp_path, logged_text, kind):
    folder = tmp_path / "cache"
    with biggus.Cache(folder) as cache:
        open_with_secrets(server, kind, cache, fresh_for=0)[:9, :9].ndarray()
        open_with_secrets(server, kind, cache, fresh_for=0)[:9, :9].ndarray()
        assert cache.stats().entries
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        assert SECRET not in str(path)
        assert SECRET.encode() not in path.read_bytes(), path
    assert "biggus.cache hit" in logged_text()
    assert SECRET not in logged_text()


TROUBLE = {
    "404": Reply(404),
    "403": Reply(403),
    "500": Reply(500),
    "hang up": Reply(hang_up=True),
    "cut": Reply(claims=9999),
    "a page": Reply(body=b"<html>", type="text/html"),
    "to nowhere": Reply(302, headers={"Location": f"http://[nowhere/?api_key={SECRET}"}),
    "to no port": Reply(302, headers={"Location": f"http://a:99999/?api_key={SECRET}"}),
    "to no scheme": Reply(302, headers={"Location": f"gopher://a/?api_key={SECRET}"}),
    "in a circle": Reply(302, headers={"Location": f"/?api_key={SECRET}"}),
}


@pytest.mark.parametrize("name", TROUBLE)
@pytest.mark.parametrize("kind", ["tiles", "zarr"])
def test_errors_show_no_secrets(server, logged_text, kind, name):
    array = open_with_secrets(server, kind)
    server.always = TROUBLE[name]
    with pytest.raises(BiggusError) as caught:
        array.ndarray()
    assert SECRET not in text_of_error(caught.value)
    if kind == "zarr":
        with pytest.raises(BiggusError) as caught:
            open_with_secrets(server, kind)
        assert SECRET not in text_of_error(caught.value)
    assert SECRET not in logged_text()


@pytest.mark.parametrize("kind", ["tiles", "zarr"])
def test_refused_connection_shows_no_secrets(server, logged_text, kind):
    array = open_with_secrets(server, kind)
    server.stop()
    with pytest.raises(BiggusError) as caught:
        array[:3].ndarray()
    assert SECRET not in text_of_error(caught.value)
    assert SECRET not in logged_text()


@pytest.mark.parametrize("url", ["http://h:port/{x}/{y}?key=s3cret", "http://[h/a.zarr?key=s3cret"])
def test_invalid_urls_show_no_secrets(url, logged_text):
    with pytest.raises(BiggusError) as caught:
        biggus.open(url, "tiles", zoom=1, cache=False)[0].ndarray()
    assert SECRET not in text_of_error(caught.value)
    assert SECRET not in logged_text()


def test_unknown_fsspec_scheme_shows_no_secrets():
    pytest.importorskip("fsspec")
    with pytest.raises(OpenError) as caught:
        biggus.open(f"nonesuch://me:{SECRET}@h/a?key={SECRET}", "a", backend="zarr", cache=False)
    assert SECRET not in text_of_error(caught.value)


def test_errors_from_another_process_show_no_secrets(server):
    array = open_with_secrets(server, "tiles")
    server.always = Reply(503)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        error = pool.submit(array[:3].ndarray).exception(60)
    assert isinstance(error, BiggusError)
    # The traceback of the other process comes as text.
    assert "Traceback" in str(error.__cause__)
    assert SECRET not in text_of_error(error) + str(error.__cause__)


@pytest.mark.machine
@pytest.mark.parametrize("kind", ["tiles", "zarr"])
def test_command_line_shows_no_secrets(server, tmp_path, kind):
    if kind == "zarr":
        arguments = ["info", with_secrets(server, "/s.zarr"), "a"]
    else:
        arguments = ["info", with_secrets(server, "/RGB/{z}/{x}/{y}.png"), "--zoom", "2"]
    environment = {**os.environ, "BIGGUS_CACHE_DIR": str(tmp_path / "cache")}
    for more in ([], ["--json"], ["--offline"], ["--backend", "nonesuch"], ["-O", "size=3"]):
        done = subprocess.run(
            [sys.executable, "-m", "biggus", *arguments, *more],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert more[:1] not in ([], ["--json"], ["--offline"]) or done.returncode == 0


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("nothing to hide", "nothing to hide"),
        ("a=1 b=2", "a=1 b=2"),
        ("/a?author=me&keyword=x", "/a?author=me&keyword=x"),
        ("/a?key=", "/a?key=***"),
        ("/a?a=1;key=b;c&d=2", "/a?a=1;key=***&d=2"),
        ("/a?api%5Fkey=b&c", "/a?api%5Fkey=***&c"),
        ("(url='/a?key=b')", "(url='/a?key=***"),
        ("http://u:p@q@h/x@y -> http://h/x@y", "http://***@h/x@y -> http://h/x@y"),
        ("http://h?mail=a@b", "http://h?mail=a@b"),
    ],
)
def test_redacted(text, hidden):
    assert redacted(text) == hidden
