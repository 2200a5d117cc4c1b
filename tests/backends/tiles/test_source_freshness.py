"""Copies of tiles: lifetimes, revalidation, and failing servers."""

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
def one_tile(server):
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
def test_lifetime_by_response_headers(server, one_tile, headers, seconds):
    source, box, path = one_tile
    server.headers = headers
    values, validator = source.fetch(box)
    np.testing.assert_array_equal(values, pillow(server, path, "RGB"))
    ((_, _, checked, expires),) = json.loads(validator)
    assert abs(time.time() - checked) < 60
    assert abs(expires - (4e9 if seconds is None else checked + seconds)) < 60
    assert len(validator) < 200


def test_no_store_tiles_have_no_validator(server, one_tile):
    source, box, _ = one_tile
    server.headers = {"Cache-Control": "private, no-store"}
    assert source.fetch(box)[1] is None


def test_fresh_tile_needs_no_request(server, one_tile):
    source, box, _ = one_tile
    validator = source.fetch(box)[1]
    server.requests.clear()
    assert source.revalidate(box, validator) == validator
    assert not server.requests


@pytest.mark.parametrize("kind", ["etag", "date"])
def test_expired_tile_is_revalidated(server, one_tile, kind):
    source, box, path = one_tile
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


def test_changed_tile_is_sent_once(server, one_tile):
    source, box, path = one_tile
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
def test_copy_of_a_removed_tile_is_invalid(server, one_tile, reply):
    source, box, path = one_tile
    old = expire(source.fetch(box)[1])
    server.replies[path] = [reply]
    assert source.revalidate(box, old) is None


@pytest.mark.parametrize("reply", [Reply(500), Reply(503), Reply(hang_up=True)])
def test_stale_tile_is_used_while_the_server_fails(server, one_tile, reply, caplog):
    source, box, path = one_tile
    old = expire(source.fetch(box)[1])
    server.requests.clear()
    server.always = reply
    assert source.revalidate(box, old) == old
    assert server.requests == {path: 1}
    assert "stale copy" in caplog.text
    assert path in caplog.text


def test_stale_tile_is_used_without_the_server(server, one_tile, caplog):
    source, box, _ = one_tile
    old = expire(source.fetch(box)[1])
    server.stop()
    with caplog.at_level(logging.WARNING, "biggus.backends.tiles"):
        assert source.revalidate(box, old) == old
        assert source.revalidate(box, old) == old
    assert caplog.text.count("stale copy") == 2


def test_validator_of_several_tiles(server):
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
def test_foreign_validators_are_invalid(server, one_tile, held):
    source, box, _ = one_tile
    assert source.revalidate(box, held) is None
    assert not server.requests
