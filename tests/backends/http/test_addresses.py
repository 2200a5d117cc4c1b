"""Redirects from public servers to local addresses.

The tests use the loopback interface only; they set the addresses of host names themselves.
"""

import pytest

pytest.importorskip("urllib3")

from raw_server import RawServer, answer, sending

from biggus.backends.http import attempt, connections
from biggus.backends.http.addresses import addresses_of, by_name, is_outside, is_public
from biggus.backends.http.client import HttpClient, HttpError, HttpSettings
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.backends.zarr.remote import remote_store

PUBLIC, ELSEWHERE = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"


@pytest.fixture
def server():
    server = RawServer()
    server.answers["there"] = sending(answer(b"found"))
    yield server
    server.stop()


@pytest.fixture
def names(monkeypatch):
    """Return a dict of the addresses of host names; by default 127.0.0.1 has a public one."""
    known = {"127.0.0.1": [PUBLIC]}
    monkeypatch.setattr(attempt, "addresses_of", lambda host, _: known.get(host, []))
    return known


def get(server, to, **settings):
    location = to.format(port=server.port)
    server.answers["old"] = sending(answer(b"", "302 Found", Location=location))
    client = HttpClient(HttpSettings(retries=0, **settings))
    return client.get(f"{server.url}/old").body


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], [PUBLIC, "192.168.0.1"]],
)
def test_redirect_from_public_to_local_address_raises(server, names, addresses):
    names["localhost"] = addresses
    with pytest.raises(HttpError, match=r"localhost, which is not a public.*local_redirects=True"):
        get(server, "http://localhost:{port}/there")
    assert server.paths == ["/old"]
    assert get(server, "http://localhost:{port}/there", local_redirects=True) == b"found"


def test_redirect_between_local_addresses(server, names):
    names.update({"127.0.0.1": ["127.0.0.1"], "localhost": ["127.0.0.1"]})
    assert get(server, "http://localhost:{port}/there") == b"found"


def test_redirect_on_the_same_host(server, names):
    names["127.0.0.1"] = [PUBLIC]
    assert get(server, "/there") == b"found"
    assert get(server, "//127.0.0.1:{port}/there") == b"found"


@pytest.mark.parametrize("first", [[PUBLIC], []])
def test_host_name_that_changes_to_a_local_address_raises(server, names, first):
    names["localhost"] = first
    with pytest.raises(HttpError, match=r"redirects to (127\.0\.0\.1|::1), which is not a public"):
        get(server, "http://localhost:{port}/there")
    assert server.paths == ["/old"]


def test_redirect_between_public_servers(server, names, monkeypatch):
    monkeypatch.setattr(connections, "is_public", lambda address: True)
    names["localhost"] = [PUBLIC, ELSEWHERE]
    assert get(server, "http://localhost:{port}/there") == b"found"


def test_redirects_after_a_public_server_stay_public(server, names):
    names.update({"127.0.0.1": ["127.0.0.1"], "localhost": [PUBLIC]})
    server.answers["then"] = sending(
        answer(b"", "302 Found", Location=f"http://127.0.0.1:{server.port}/there")
    )
    with pytest.raises(HttpError, match=r"127\.0\.0\.1, which is not a public"):
        # The first redirect leads to a public name, so that the second may not lead back.
        get(server, "http://localhost:{port}/then", local_redirects=False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        (ELSEWHERE, True),
        ("8.8.8.8", True),
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
    ],
)
def test_is_public(address, public):
    assert is_public(address) is public


def test_by_name():
    for name in ("localhost", "LOCALHOST.", "a.localhost", "printer.local", "x.internal", "nas"):
        assert by_name(name) == ["127.0.0.1"]
    assert by_name("[::1]") == ["::1"]
    assert by_name("169.254.169.254") == ["169.254.169.254"]
    assert by_name("tiles.example.org") == []


def test_unknown_hosts_count_as_outside():
    assert is_outside([])
    assert is_outside(["10.0.0.1", PUBLIC])
    assert not is_outside(["10.0.0.1", "::1"])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "127.0.0.1"])
def test_numeric_hosts_are_parsed_by_the_system(host):
    found = addresses_of(host)
    assert found in ([], ["127.0.0.1"])  # none if the system does not accept the form


def test_local_redirects_option_reaches_the_client():
    for allowed in (False, True):
        template = Location("https://host/{z}/{x}/{y}.png")
        source = TilesBackend().open(template, zoom=1, local_redirects=allowed)
        assert source.client.settings.local_redirects is allowed
        store = remote_store(Location("https://host/a.zarr"), local_redirects=allowed)
        assert store._client.settings.local_redirects is allowed
