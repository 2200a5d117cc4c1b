"""Copies of tiles: how long they are good, and what stands in for a server in trouble."""

import json
import logging
import time
from email.utils import formatdate

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from tile_samples import box_of, pillow, source_of, tile_box
from tile_server import Reply

U1 = np.dtype("u1")


def expire(validator, by=10**9):
    rows = json.loads(validator)
    return json.dumps([[e, m, c, x - by] for e, m, c, x in rows]).encode()


@pytest.fixture
def one(server):
    source = source_of(server)
    return source, tile_box(source, 1, 2), "/RGB/3/2/1.png"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 7 * 86400),
        ({"Cache-Control": "public, max-age=60"}, 60),
        ({"Cache-Control": "max-age=60", "Age": "20"}, 40),
        ({"Cache-Control": "no-cache"}, 0),
        ({"Expires": formatdate(4e9, usegmt=True)}, None),
        ({"Expires": "0"}, 0),
        ({"Expires": formatdate(1e9, usegmt=True)}, 0),
        ({"Cache-Control": "max-age=60", "Expires": "0"}, 60),
    ],
)
def test_the_server_says_how_long_a_tile_is_good(server, one, headers, seconds):
    source, box, path = one
    server.headers = headers
    values, validator = source.fetch(box)
    np.testing.assert_array_equal(values, pillow(server, path, "RGB"))
    ((_, _, checked, expires),) = json.loads(validator)
    assert abs(time.time() - checked) < 60
    assert abs(expires - (4e9 if seconds is None else checked + seconds)) < 60
    assert len(validator) < 200


def test_what_must_not_be_stored_has_no_validator(server, one):
    source, box, _ = one
    server.headers = {"Cache-Control": "private, no-store"}
    assert source.fetch(box)[1] is None


def test_a_fresh_copy_is_good_unasked(server, one):
    source, box, _ = one
    validator = source.fetch(box)[1]
    server.requests.clear()
    assert source.revalidate(box, validator) == validator
    assert not server.requests


@pytest.mark.parametrize("kind", ["etag", "date"])
def test_an_expired_copy_is_asked_for_and_renewed(server, one, kind):
    source, box, path = one
    server.conditional = kind == "etag"
    if kind == "date":
        server.headers = {"Last-Modified": formatdate(1e9, usegmt=True)}
    old = expire(source.fetch(box)[1])
    server.requests.clear()
    new = source.revalidate(box, old)
    assert server.requests == {path: 1}
    assert json.loads(new)[0][:2] == json.loads(old)[0][:2]
    assert json.loads(new)[0][3] > time.time()
    assert source.revalidate(box, new) == new
    assert server.requests == {path: 1}


def test_a_changed_tile_must_be_fetched_and_is_sent_once(server, one):
    source, box, path = one
    server.conditional = True
    old = expire(source.fetch(box)[1])
    server.salt = 1
    server.requests.clear()
    assert source.revalidate(box, old) is None
    values, validator = source.fetch(box)
    assert server.requests == {path: 1}
    np.testing.assert_array_equal(values, pillow(server, path, "RGB"))
    assert json.loads(validator)[0][0] != json.loads(old)[0][0]
    source.fetch(box)
    assert server.requests == {path: 2}


@pytest.mark.parametrize("reply", [Reply(404), Reply(403)])
def test_a_copy_of_what_is_gone_is_no_longer_good(server, one, reply):
    source, box, path = one
    old = expire(source.fetch(box)[1])
    server.replies[path] = [reply]
    assert source.revalidate(box, old) is None


@pytest.mark.parametrize("reply", [Reply(500), Reply(503), Reply(hang_up=True)])
def test_while_the_server_is_in_trouble_a_stale_copy_is_used(server, one, reply, caplog):
    source, box, path = one
    old = expire(source.fetch(box)[1])
    server.requests.clear()
    server.always = reply
    assert source.revalidate(box, old) == old
    assert server.requests == {path: 1}
    assert "stale copy" in caplog.text
    assert path in caplog.text


def test_without_the_server_a_stale_copy_is_used(server, one, caplog):
    source, box, _ = one
    old = expire(source.fetch(box)[1])
    server.stop()
    with caplog.at_level(logging.WARNING, "biggus.backends.tiles"):
        assert source.revalidate(box, old) == old
        assert source.revalidate(box, old) == old
    assert caplog.text.count("stale copy") == 2


def test_a_box_of_several_tiles_has_the_validators_of_all(server):
    source = source_of(server, size=8)
    server.conditional = True
    box = box_of((4, 20), (0, 16), (0, 3))
    _, validator = source.fetch(box)
    assert len(json.loads(validator)) == 6
    server.requests.clear()
    assert source.revalidate(box, validator) == validator
    assert not server.requests
    new = source.revalidate(box, expire(validator))
    assert sum(server.requests.values()) == 6
    assert len(json.loads(new)) == 6
    server.salt = 1
    assert source.revalidate(box, expire(new)) is None


@pytest.mark.parametrize("held", [b"", b"x", b"[]", b"[[1,2,3,4]]", b"[[null]]", b"{}", b"7"])
def test_a_validator_of_another_kind_is_not_good(server, one, held):
    source, box, _ = one
    assert source.revalidate(box, held) is None
    assert not server.requests
