"""Deadlines of requests, against servers that never come to an end."""

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
def quick(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)


def client(total, retries=0, **settings):
    return HttpClient(HttpSettings(timeout=Timeout(30.0, 30.0, total), retries=retries, **settings))


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_comes_a_little_at_a_time_ends_at_the_deadline(server, kind):
    start, piece = ENDLESS[kind]

    def drip(connection, _):
        connection.sendall(start)
        server.drip(connection, itertools.repeat(piece))

    server.answers["a"] = drip
    with pytest.raises(HttpError, match=r"not complete within 0\.4 s; timeout=\(connect, read, to"):
        client(0.4).get(f"{server.url}/a")


def test_what_comes_as_fast_as_it_can_ends_too(server):
    many = b"HTTP/1.1 100 Continue\r\n\r\n" * 2000
    server.answers["a"] = lambda connection, _: server.drip(
        connection, itertools.repeat(many), pause=0, most=10**6
    )
    with pytest.raises(HttpError, match=r"not complete within 0\.4 s"):
        client(0.4).get(f"{server.url}/a")


def test_redirects_share_the_deadline(server):
    def on(connection, path):
        server.over.wait(0.3)
        connection.sendall(answer(b"", "302 Found", Location=path + "1"))

    server.answers["a"] = on
    with pytest.raises(HttpError, match=r"not complete within 0\.7 s"):
        client(0.7).get(f"{server.url}/a/1")
    assert len(server.paths) <= 4


@pytest.mark.parametrize("reply", [answer(b"", "503 Busy"), b"nonsense\r\n\r\n"])
def test_attempts_share_the_deadline(server, quick, reply):
    server.answers["a"] = sending(reply)
    try:
        assert client(1.0, retries=10**6).get(f"{server.url}/a").status == 503
    except HttpError as error:
        assert error.attempts < 10**6  # noqa: PT017 - either is right


@pytest.mark.parametrize("asked", ["50", "99999"])
def test_a_wait_that_goes_past_the_deadline_is_not_begun(server, asked):
    server.answers["a"] = sending(answer(b"", "503 Busy", Retry_After=asked))
    response = client(45.0, retries=3).get(f"{server.url}/a")
    assert (response.status, response.attempts) == (503, 1)


def test_a_connection_is_used_again_after_answers_that_came_slowly(server):
    asked = []

    def twice(connection, path):
        for _ in range(2):
            whole = answer(b"ab", Connection="keep-alive")
            server.drip(connection, (bytes([byte]) for byte in whole), pause=0.001)
            asked.append(path)
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


def test_secure_connections_are_held_to_it_too():
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


def test_a_deadline_by_the_clock(clock):
    deadline = Deadline(Timeout(2.0, 5.0, 60.0))
    assert deadline.timeout == (2.0, 5.0)
    clock[0] += 57.0
    assert deadline.timeout == (2.0, 3.0)
    with deadline.put_off():  # it stood in a queue
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
    """A body of 10 pieces, each of which takes a while."""

    def __init__(self, clock, seconds, nbytes):
        self.pieces = 10
        self.clock, self.seconds, self.nbytes = clock, seconds, nbytes

    def read1(self, most):
        self.clock[0] += self.seconds
        self.pieces -= 1
        return bytes(self.nbytes) if self.pieces >= 0 else b""


def test_a_body_that_comes_fast_enough_is_not_cut_off(clock):
    from biggus.backends.http.attempt import _body

    deadline = Deadline(Timeout(2.0, 30.0, 60.0))
    assert len(_body(_Slow(clock, 9.0, 9 * SLOWEST), 2**30, deadline)) == 90 * SLOWEST
    assert clock[0] > 1060.0
    assert deadline.left > 0


@pytest.mark.parametrize("value", [0, "soon", (1, 2, 3, 4), (1,), (1, 0), (1, 2, -3), True, None])
def test_a_timeout_that_cannot_be_is_refused(value):
    with pytest.raises(OpenError, match=r"timeout= is seconds.*\(connect, read, total\)"):
        timeout_option("here", value)


def test_timeouts_in_short():
    assert timeout_option("here", Timeout()) == (10.0, 30.0, 60.0)
    assert timeout_option("here", 5) == (5.0, 5.0, 60.0)
    assert timeout_option("here", [5, 100]) == (5.0, 100.0, 100.0)
    assert timeout_option("here", (1, 2, 3.5)) == (1.0, 2.0, 3.5)


@pytest.fixture
def dripping(server):
    server.answers["a"] = lambda connection, _: server.drip(connection, itertools.repeat(b"H"))
    return server


def test_a_request_ends_with_the_evaluation(dripping):
    client = HttpClient()
    url = f"{dripping.url}/a"
    with biggus.set_options(deadline=0.3), deadlines.evaluation(), pytest.raises(DeadlineError):
        client.get(url)
    assert not client.down(url)  # that is no word of the server


def test_tiles_end_with_the_evaluation(dripping):
    pytest.importorskip("PIL")
    tiles = biggus.open(f"{dripping.url}/a/{{z}}/{{x}}/{{y}}.png", zoom=2, cache=False)
    with biggus.set_options(deadline=0.3), pytest.raises(DeadlineError):
        tiles.ndarray()


def test_a_store_ends_with_the_evaluation(dripping):
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
    """Set what names stand for: addresses, or what is called to find out."""
    known = {}
    system = socket.getaddrinfo

    def asked(host, port, *args, **kwargs):
        found = known.get(host, [host])
        addresses = found() if callable(found) else found
        return [one for name in addresses for one in system(name, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    return known


def test_a_name_that_is_looked_up_for_ever_ends_at_the_deadline(names, quick):
    answered = threading.Event()
    asked = []

    def for_ever():
        asked.append(threading.get_ident())
        answered.wait()
        raise socket.gaierror("too late")

    names["slow.test"] = for_ever
    settings = HttpSettings(timeout=Timeout(0.05, 30.0, 60.0), retries=2)
    try:
        with pytest.raises(HttpError, match=r"name could not be looked up within 0\.05 s"):
            HttpClient(settings).get("http://slow.test/x")
        assert len(asked) == 1  # however often it is tried: one thread waits
    finally:
        answered.set()


def test_a_name_that_is_not_known_is_said_to_be_so(names):
    def unknown():
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    names["nowhere.test"] = unknown
    with pytest.raises(HttpError, match="the host name is not known"):
        client(30.0).get("http://nowhere.test/x")


@pytest.mark.skipif(sys.platform != "linux", reason="has one address of its own")
def test_the_addresses_of_a_name_are_tried_in_turn(names, server):
    server.answers["there"] = sending(answer(b"found"))
    names["two.test"] = ["127.0.0.9", "127.0.0.1"]
    assert client(30.0).get(f"http://two.test:{server.port}/there").body == b"found"
    names["none.test"] = ["127.0.0.9", "127.0.0.8"]
    with pytest.raises(HttpError, match="no connection: Connection refused"):
        client(30.0).get(f"http://none.test:{server.port}/there")
