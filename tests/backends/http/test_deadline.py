"""Deadlines of requests, against servers whose responses never end."""

import itertools
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from raw_server import RawServer, answer, sending

import biggus
from biggus.backends.http import client as http
from biggus.backends.http.client import HttpClient, HttpError, HttpSettings
from biggus.backends.http.deadline import SLOWEST, Deadline, Timeout, timeout_option
from biggus.errors import DeadlineError, OpenError
from biggus.support import deadlines

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

ENDLESS = {
    "status line": (b"", b"H"),
    "header": (HEAD + b"X-Long: ", b"a"),
    "headers": (HEAD, b"X: 1\r\n"),
    "100 continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "size of a chunk": (CHUNKED, b"0"),
    "extension of a chunk": (CHUNKED + b"5;", b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "trailer": (CHUNKED + b"0\r\nX: ", b"a"),
    "body": (HEAD + b"Content-Length: 1000000\r\n\r\n", b"a"),
    "body without a length": (HEAD + b"\r\n", b"a"),
}


@pytest.fixture
def server():
    server = RawServer()
    yield server
    server.stop()


@pytest.fixture
def short_backoff(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)


def client(total, retries=0, **settings):
    return HttpClient(HttpSettings(timeout=Timeout(30.0, 30.0, total), retries=retries, **settings))


@pytest.mark.parametrize("kind", ENDLESS)
def test_trickling_response_ends_at_the_deadline(server, kind):
    start, piece = ENDLESS[kind]

    def drip(connection, _):
        connection.sendall(start)
        server.drip(connection, itertools.repeat(piece))

    server.answers["a"] = drip
    with pytest.raises(
        HttpError, match=r"not complete within 0\.4 s; `timeout=\(connect, read, to"
    ):
        client(0.4).get(f"{server.url}/a")


def test_fast_endless_response_ends_at_the_deadline(server):
    many = b"HTTP/1.1 100 Continue\r\n\r\n" * 2000
    server.answers["a"] = lambda connection, _: server.drip(
        connection, itertools.repeat(many), pause=0, most=10**6
    )
    with pytest.raises(HttpError, match=r"not complete within 0\.4 s"):
        client(0.4).get(f"{server.url}/a")


def test_redirects_share_the_deadline(server):
    def redirect(connection, path):
        server.over.wait(0.3)
        connection.sendall(answer(b"", "302 Found", Location=path + "1"))

    server.answers["a"] = redirect
    with pytest.raises(HttpError, match=r"not complete within 0\.7 s"):
        client(0.7).get(f"{server.url}/a/1")
    assert len(server.paths) <= 4


@pytest.mark.parametrize("reply", [answer(b"", "503 Busy"), b"nonsense\r\n\r\n"])
def test_attempts_share_the_deadline(server, short_backoff, reply):
    server.answers["a"] = sending(reply)
    try:
        assert client(1.0, retries=10**6).get(f"{server.url}/a").status == 503
    except HttpError as error:
        assert error.attempts < 10**6  # noqa: PT017 - either is right


@pytest.mark.parametrize("seconds", ["50", "99999"])
def test_retry_after_beyond_the_deadline_is_not_waited_for(server, seconds):
    server.answers["a"] = sending(answer(b"", "503 Busy", Retry_After=seconds))
    response = client(45.0, retries=3).get(f"{server.url}/a")
    assert (response.status, response.attempts) == (503, 1)


def test_connection_is_reused_after_slow_responses(server):
    def twice(connection, path):
        for _ in range(2):
            whole = answer(b"ab", Connection="keep-alive")
            server.drip(connection, (bytes([byte]) for byte in whole), pause=0.001)
            connection.recv(65536)

    server.answers["a"] = twice
    patient = client(60.0)
    assert [patient.get(f"{server.url}/a").body for _ in range(2)] == [b"ab", b"ab"]
    assert len(server.paths) == 1


SECURE = """
import sys
import threading
from biggus.backends.http.client import HttpClient, HttpError
from biggus.backends.http.deadline import Timeout
from biggus.backends.http.client import HttpSettings
try:
    HttpClient(HttpSettings(timeout=Timeout(30.0, 30.0, 1.0), retries=0)).get(sys.argv[1])
except HttpError as error:
    print(error)
"""


def test_https_response_ends_at_the_deadline():
    certificate = Path(__file__).with_name("localhost.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = RawServer(context)
    server.answers["a"] = lambda connection, _: server.drip(connection, itertools.repeat(b"H"))
    done = subprocess.run(
        [sys.executable, "-c", SECURE, f"{server.url}/a"],
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    server.stop()
    assert "not complete within 1 s" in done.stdout, done.stderr


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_deadline_arithmetic(clock):
    deadline = Deadline(Timeout(2.0, 5.0, 60.0))
    assert deadline.timeout == (2.0, 5.0)
    clock[0] += 57.0
    assert deadline.timeout == (2.0, 3.0)
    with deadline.put_off():  # the request waited in a queue
        clock[0] += 500.0
    assert deadline.left == 3.0
    deadline.later(10.0)
    clock[0] += 12.0
    assert deadline.left == 1.0
    clock[0] += 1.0
    assert deadline.left == 0.0
    with pytest.raises(TimeoutError, match="not complete within 60 s"):
        _ = deadline.timeout


class _Slow:
    """A body of 10 pieces of `nbytes`; each takes `seconds`."""

    def __init__(self, clock, seconds, nbytes):
        self.pieces = 10
        self.clock, self.seconds, self.nbytes = clock, seconds, nbytes

    def read1(self, most):
        self.clock[0] += self.seconds
        self.pieces -= 1
        return bytes(self.nbytes) if self.pieces >= 0 else b""


def test_body_above_the_lowest_rate_is_not_cut_off(clock):
    from biggus.backends.http.attempt import _body

    deadline = Deadline(Timeout(2.0, 30.0, 60.0))
    assert len(_body(_Slow(clock, 9.0, 9 * SLOWEST), 2**30, deadline)) == 90 * SLOWEST
    assert clock[0] > 1060.0
    assert deadline.left > 0


@pytest.mark.parametrize("value", [0, "soon", (1, 2, 3, 4), (1,), (1, 0), (1, 2, -3), True, None])
def test_invalid_timeouts_raise(value):
    with pytest.raises(OpenError, match=r"`timeout=` is seconds.*\(connect, read, total\)"):
        timeout_option("here", value)


def test_short_forms_of_timeouts():
    assert timeout_option("here", Timeout()) == (10.0, 30.0, 60.0)
    assert timeout_option("here", 5) == (5.0, 5.0, 60.0)
    assert timeout_option("here", [5, 100]) == (5.0, 100.0, 100.0)
    assert timeout_option("here", (1, 2, 3.5)) == (1.0, 2.0, 3.5)


@pytest.fixture
def dripping(server):
    server.answers["a"] = lambda connection, _: server.drip(connection, itertools.repeat(b"H"))
    return server


def test_evaluation_deadline_ends_a_request(dripping):
    client = HttpClient()
    url = f"{dripping.url}/a"
    with biggus.set_options(deadline=0.3), deadlines.evaluation(), pytest.raises(DeadlineError):
        client.get(url)
    assert not client.down(url)  # the server did not fail


def test_evaluation_deadline_ends_reading_tiles(dripping):
    pytest.importorskip("PIL")
    tiles = biggus.open(f"{dripping.url}/a/{{z}}/{{x}}/{{y}}.png", zoom=2, cache=False)
    with biggus.set_options(deadline=0.3), pytest.raises(DeadlineError):
        tiles.ndarray()


def test_evaluation_deadline_ends_reading_a_store(dripping):
    pytest.importorskip("zarr")
    from odd_store import Store

    store = Store()
    try:
        array = biggus.open(f"{store.url}/a", "/", backend="zarr", cache=False)
        store.chunk = dripping.answers["a"]
        with biggus.set_options(deadline=0.3), pytest.raises(DeadlineError):
            array.ndarray()
    finally:
        store.stop()


# --- names of hosts ---------------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch):
    """Return a dict of the addresses of host names, or of functions that return them."""
    known = {}
    system = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        found = known.get(host, [host])
        addresses = found() if callable(found) else found
        return [one for name in addresses for one in system(name, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_endless_name_lookup_ends_at_the_deadline(names, short_backoff):
    answered = threading.Event()
    lookups = []

    def wait_until_answered():
        lookups.append(threading.get_ident())
        answered.wait()
        raise socket.gaierror("too late")

    names["slow.test"] = wait_until_answered
    settings = HttpSettings(timeout=Timeout(0.05, 30.0, 60.0), retries=2)
    try:
        with pytest.raises(HttpError, match=r"name could not be looked up within 0\.05 s"):
            HttpClient(settings).get("http://slow.test/x")
        assert len(lookups) == 1  # retries share the thread of the first lookup
    finally:
        answered.set()


def test_unknown_host_name_raises(names):
    def unknown():
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    names["nowhere.test"] = unknown
    with pytest.raises(HttpError, match="the host name is not known"):
        client(30.0).get("http://nowhere.test/x")


@pytest.mark.skipif(sys.platform != "linux", reason="has one address of its own")
def test_addresses_of_a_host_are_tried_in_turn(names, server):
    server.answers["there"] = sending(answer(b"found"))
    names["two.test"] = ["127.0.0.9", "127.0.0.1"]
    assert client(30.0).get(f"http://two.test:{server.port}/there").body == b"found"
    names["none.test"] = ["127.0.0.9", "127.0.0.8"]
    with pytest.raises(HttpError, match="no connection: Connection refused"):
        client(30.0).get(f"http://none.test:{server.port}/there")
