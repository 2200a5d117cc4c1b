"""The HTTP client against a real server that misbehaves."""

import gc
import gzip
import logging
import os
import pickle
import signal
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from tile_server import Reply, TileServer

from biggus.backends.http import client as http
from biggus.backends.http import connections, pools
from biggus.backends.http.client import HttpClient, HttpError, HttpSettings
from biggus.backends.http.deadline import Timeout
from biggus.backends.http.headers import http_date, retry_after, split_credentials
from biggus.backends.http.pools import HostGate

TILE = "/RGB/3/2/1.png"


@pytest.fixture
def server():
    server = TileServer().start()
    yield server
    server.stop()


@pytest.fixture
def short_backoff(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)


def client(**settings):
    return HttpClient(HttpSettings(**settings))


def test_get_returns_the_body(server):
    response = client().get(server.url + TILE)
    assert response.status == 200
    assert response.body == server.tile(TILE)
    assert response.headers["content-type"] == "image/png"
    assert response.attempts == 1


def test_user_agent_and_headers_are_sent(server):
    client(headers=(("X-Key", "a"),)).get(server.url + TILE)
    client(user_agent="mine/1").get(server.url + TILE, {"X-Key": "b"})
    (_, first), (_, second) = server.seen
    assert first["User-Agent"].startswith("biggus/1")
    assert first["X-Key"] == "a"
    assert (second["User-Agent"], second["X-Key"]) == ("mine/1", "b")


@pytest.mark.parametrize(
    "status", [408, 425, 429, 500, 502, 503, 504, 509, 520, 522, 524, 530, 599]
)
def test_temporary_failures_are_retried(server, short_backoff, status):
    server.replies[TILE] = [Reply(status), Reply(status)]
    response = client().get(server.url + TILE)
    assert (response.status, response.attempts) == (200, 3)
    assert server.requests[TILE] == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_permanent_failures_are_not_retried(server, status):
    server.replies[TILE] = [Reply(status)]
    assert client().get(server.url + TILE).status == status
    assert server.requests[TILE] == 1


def test_last_response_is_returned_after_all_retries(server, short_backoff):
    server.always = Reply(503)
    response = client(retries=2).get(server.url + TILE)
    assert (response.status, response.attempts) == (503, 3)
    assert server.requests[TILE] == 3


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(claims=200_000), "shorter than announced"),
        (Reply(hang_up=True), "the connection broke"),
        (Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "encoding is broken"),
    ],
)
def test_broken_responses_are_retried_then_raise(server, short_backoff, reply, words):
    server.replies[TILE] = [reply]
    assert client().get(server.url + TILE).body == server.tile(TILE)
    assert server.requests[TILE] == 2
    server.always = reply
    with pytest.raises(HttpError, match=words) as caught:
        client(retries=1).get(server.url + TILE)
    assert "after 2 attempts" in str(caught.value)
    assert TILE in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_refused_connection_raises_with_the_url(short_backoff):
    server = TileServer()
    server.server_close()
    with pytest.raises(HttpError, match=r"/a\.png: no connection: .*refused.*after 2 attempts"):
        client(retries=1).get(server.url + "/a.png?token=secret")
    assert client().down(server.url)


def test_unknown_host_raises(short_backoff):
    with pytest.raises(HttpError, match="host name is not known"):
        client(retries=0).get("http://nowhere.invalid/a.png")


def test_slow_response_times_out(server, short_backoff):
    server.always = Reply(delay=5.0)
    with pytest.raises(HttpError, match=r"no answer within 0\.05 s"):
        client(retries=1, timeout=Timeout(5.0, 0.05)).get(server.url + TILE)
    # The server may read the requests later.
    for _ in range(6000):
        if server.requests[TILE] == 2:
            break
        time.sleep(0.01)
    assert server.requests[TILE] == 2


def test_retry_after_holds_all_requests_to_the_host(server, monkeypatch):
    holds = []
    monkeypatch.setattr(HostGate, "hold", lambda self, seconds: holds.append(seconds))
    server.replies[TILE] = [Reply(429, headers={"Retry-After": "0"})] * 2
    assert client().get(server.url + TILE).attempts == 3
    assert holds == [0.0, 0.0]


def test_retry_after_seconds_pass_before_the_next_attempt(server):
    server.replies[TILE] = [Reply(429, headers={"Retry-After": "1"})]
    started = time.monotonic()
    assert client().get(server.url + TILE).attempts == 2
    assert time.monotonic() - started >= 1.0


def test_retry_after_in_seconds_or_as_a_date_is_capped():
    assert retry_after("7", 60.0) == 7.0
    assert retry_after("9" * 40, 60.0) == 60.0
    assert 25.0 < retry_after(formatdate(time.time() + 30, usegmt=True), 60.0) <= 30.0
    assert retry_after(formatdate(time.time() - 30, usegmt=True), 60.0) == 0.0
    assert retry_after("-1", 60.0) is None
    assert retry_after(None, 60.0) is None
    assert http_date("Tuesday") is None


def test_gzip_is_decoded(server):
    server.always = Reply(body=gzip.compress(b"a" * 1000), headers={"Content-Encoding": "gzip"})
    assert client().get(server.url + TILE).body == b"a" * 1000


def test_too_large_body_raises(server):
    server.always = Reply(body=gzip.compress(b"a" * 10**7), headers={"Content-Encoding": "gzip"})
    with pytest.raises(HttpError, match="larger than 1000000 bytes"):
        client().get(server.url + TILE, largest=10**6)
    server.always = None
    with pytest.raises(HttpError, match="larger than 10 bytes"):
        client().get(server.url + TILE, largest=10)
    assert server.requests[TILE] == 2


def test_redirects_are_followed_up_to_a_limit(server):
    server.replies["/old"] = [Reply(302, headers={"Location": TILE})]
    assert client().get(server.url + "/old").body == server.tile(TILE)
    server.replies["/old"] = [Reply(302, headers={"Location": "/old"})] * 20
    with pytest.raises(HttpError, match="more than 5 redirects"):
        client().get(server.url + "/old")


def test_credentials_are_not_sent_to_another_host(server):
    other = f"http://localhost:{server.server_port}{TILE}"
    server.replies["/old"] = [Reply(302, headers={"Location": other})]
    auth = client(headers=(("X-Key", "a"),))
    auth.get(server.url.replace("//", "//me:pw@") + "/old")
    (_, first), (_, second) = server.seen
    assert first["X-Key"] == "a"
    assert first["Authorization"].startswith("Basic ")
    assert not {"X-Key", "Authorization"} & set(second)
    assert second["User-Agent"].startswith("biggus/")


def test_credentials_are_not_in_logs_or_errors(server, caplog, short_backoff):
    server.always = Reply(503)
    settings = HttpSettings(retries=1, headers=(("X-Key", "hidden-h"),))
    url = server.url.replace("//", "//me:hidden-p@") + TILE + "?api_key=hidden-q"
    with caplog.at_level(logging.DEBUG, "biggus"):
        HttpClient(settings).get(url)
    assert f"{TILE}: 503" in caplog.text
    server.always = Reply(hang_up=True)
    with pytest.raises(HttpError) as caught:
        HttpClient(settings).get(url)
    assert "hidden" not in caplog.text + str(caught.value) + repr(settings)
    assert split_credentials("http://h/a@b") == ("http://h/a@b", {})


@pytest.mark.parametrize("connections", [1, 4, 16])
def test_concurrent_requests_are_limited_and_reuse_connections(server, connections):
    server.delay = 0.01
    clients = [client(connections=connections), client(connections=connections)]
    with ThreadPoolExecutor(32) as pool:
        urls = [f"{server.url}/RGB/4/{i}/0.png?size=8" for i in range(64)]
        answers = list(pool.map(lambda i: clients[i % 2].get(urls[i]).status, range(64)))
    assert answers == [200] * 64
    assert server.peak <= connections
    assert server.connections <= connections
    assert connections == 1 or server.peak > 1


def test_gate_serves_waiters_in_turn():
    gate = HostGate()
    order = []

    def visit(name):
        with gate.passing(1):
            order.append(name)

    with gate.passing(1):
        threads = []
        for name in "abc":
            thread = threading.Thread(target=visit, args=(name,))
            thread.start()
            threads.append(thread)
            while len(gate._queue) < len(threads):
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list("abc")
    assert gate.inside == 0


def test_gate_takes_the_limit_of_each_waiter():
    gate = HostGate()
    with gate.passing(1), gate.passing(2), gate.passing(3):
        assert gate.inside == 3
    assert gate.inside == 0


def test_interrupt_at_any_moment_takes_no_place_in_the_gate(interrupted_everywhere):
    gate = HostGate()

    def visit():
        with gate.passing(1):
            pass

    def check():
        gc.collect()  # a block that was interrupted at its ends is left when it is collected
        assert gate.inside == 0
        assert not gate._queue
        with ThreadPoolExecutor(1) as executor:
            executor.submit(visit).result(30)

    interrupted_everywhere(visit, pools.__file__, check)


# Connections that were interrupted are closed when they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("module", [connections, threading])
def test_interrupt_at_any_moment_leaves_connections_usable(server, module, interrupted_everywhere):
    url = server.url + TILE

    def check():
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(client().get, url).result(30).status == 200

    interrupted_everywhere(lambda: client().get(url), module.__file__, check)


INTERRUPTED = """
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from biggus.backends.http.client import HttpClient
from biggus.backends.http.pools import HostGate
hold = HostGate.hold
def announced_hold(*args):
    hold(*args)
    os.write(1, b"backing off\\n")
HostGate.hold = announced_hold
client = HttpClient()
pool = ThreadPoolExecutor(2)
future = pool.submit(client.get, sys.argv[1])
{wait}
"""


SECURE = """
import sys
from biggus.backends.http.client import HttpClient
print(HttpClient().get(sys.argv[1]).status)
"""


@pytest.mark.parametrize("trusted", [False, True])
def test_certificates_are_checked(server, trusted):
    certificate = Path(__file__).with_name("localhost.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    environment.pop("SSL_CERT_FILE", None)
    if trusted:
        environment["SSL_CERT_FILE"] = str(certificate)
    done = subprocess.run(
        [sys.executable, "-c", SECURE, server.url.replace("http:", "https:") + TILE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if trusted:
        assert done.stdout == "200\n", done.stderr
    else:
        assert done.returncode != 0
        assert "HttpError" in done.stderr
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
        assert not server.requests


@pytest.mark.machine
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("wait", ["future.result()", "client.get(sys.argv[1])"])
def test_interrupt_ends_a_backoff(server, wait):
    server.always = Reply(503, headers={"Retry-After": "50"})
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(wait=wait), server.url + TILE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "backing off\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0


def test_server_that_stops_during_requests_raises(server, short_backoff):
    server.delay = 0.02
    with ThreadPoolExecutor(8) as pool:
        urls = [f"{server.url}/RGB/6/{i}/0.png?size=8" for i in range(64)]
        futures = [pool.submit(client(retries=1).get, url) for url in urls]
        futures[0].result()
        server.stop()
        outcomes = [future.exception() for future in futures]
    assert any(outcomes)
    assert all(error is None or isinstance(error, HttpError) for error in outcomes)


def test_proxy_of_the_environment_is_used_except_for_localhost(server):
    code = """
import sys
from biggus.backends.http.client import HttpClient
print(HttpClient().get("http://tiles.invalid/RGB/1/0/1.png").status)
print(HttpClient().get(sys.argv[1]).status)
"""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment["http_proxy"] = server.url.replace("//", "//me:pw@")
    done = subprocess.run(
        [sys.executable, "-c", code, server.url + TILE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["200", "200"]
    (_, proxied), (_, direct) = server.seen
    assert proxied["Host"] == "tiles.invalid"
    assert proxied["Proxy-Authorization"].startswith("Basic ")
    assert "Proxy-Authorization" not in direct
