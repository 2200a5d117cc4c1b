"""Missing tiles that are filled with a given value: caching and revalidation."""

import json
import time

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from tile_server import Reply

import biggus
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.cache import Cache
from biggus.errors import OfflineError, OpenError, SourceError
from biggus.sources.base import read

PATH = "/RGB/3/2/1.png?size=8"
BOX = (slice(8, 16, 1), slice(16, 24, 1), slice(0, 3, 1))


pytestmark = pytest.mark.usefixtures("short_backoff")


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache") as made:
        yield made


def source_of(server, **options):
    template = server.url + "/RGB/{z}/{x}/{y}.png?size=8"
    return TilesBackend().open(
        Location(template), zoom=3, tile_size=8, **{"missing": 7, "retries": 0, **options}
    )


def expire(validator, by=10**9):
    rows = json.loads(validator)
    return json.dumps([[e, m, c, x - by, *marks] for e, m, c, x, *marks in rows]).encode()


@pytest.mark.parametrize("status", [404, 204, 410])
def test_filled_tile_is_requested_once_and_cached(server, cache, status):
    server.always = Reply(status)
    for _ in range(2):
        cached = cache.wrap(source_of(server))
        assert (read(cached, BOX) == 7).all()
    assert server.requests == {PATH: 1}
    with biggus.set_options(offline=True):
        assert (read(cache.wrap(source_of(server)), BOX) == 7).all()
        with pytest.raises(OfflineError):
            read(cache.wrap(source_of(server, missing=8)), BOX)
    server.stop()
    assert (read(cache.wrap(source_of(server)), BOX) == 7).all()


def test_lifetime_of_filled_tiles(server):
    source = source_of(server, fresh_for=100)
    server.always = Reply(404)
    ((_, _, checked, expires, _),) = json.loads(source.fetch(BOX)[1])
    assert abs(time.time() - checked) < 60
    assert round(expires - checked) == 100
    server.always = Reply(404, headers={"Cache-Control": "max-age=7"})
    ((_, _, checked, expires, _),) = json.loads(source.fetch(BOX)[1])
    assert round(expires - checked) == 7
    server.always = Reply(404, headers={"Cache-Control": "no-store"})
    assert source.fetch(BOX)[1] is None


@pytest.mark.parametrize("status", [404, 204])
def test_expired_filled_tile_is_revalidated_while_missing(server, status):
    source = source_of(server)
    # Validators of the error page do not tell whether the tile is still missing.
    validators = {"ETag": '"page"', "Last-Modified": "Thu, 01 Jan 1970 00:01:40 GMT"}
    server.always = Reply(status, headers=validators)
    held = source.fetch(BOX)[1]
    server.requests.clear()
    server.seen.clear()
    new = source.revalidate(BOX, expire(held))
    assert server.requests == {PATH: 1}
    assert not {"If-None-Match", "If-Modified-Since"} & set(server.seen[0][1])
    assert source.revalidate(BOX, new) == new
    assert source.revalidate(BOX, expire(new)) is not None
    assert server.requests == {PATH: 2}


def test_tile_that_appears_is_sent_once(server, cache):
    source = source_of(server, fresh_for=0)
    cached = cache.wrap(source)
    server.always = Reply(404)
    assert (read(cached, BOX) == 7).all()
    server.always = None
    server.requests.clear()
    values = read(cached, BOX)
    assert (values != 7).any()
    assert server.requests == {PATH: 1}
    np.testing.assert_array_equal(values, read(source, BOX))
    # And back again: a tile without validators does not count as a missing one.
    server.always = Reply(404)
    server.requests.clear()
    assert (read(cached, BOX) == 7).all()
    assert server.requests == {PATH: 1}


@pytest.mark.parametrize("reply", [Reply(304), Reply(403), Reply(body=b"")])
def test_other_responses_do_not_revalidate_filled_tiles(server, reply):
    source = source_of(server)
    server.always = Reply(404)
    held = expire(source.fetch(BOX)[1])
    server.always = reply
    assert source.revalidate(BOX, held) is None


@pytest.mark.parametrize("reply", [Reply(503), Reply(hang_up=True)])
def test_filled_tile_is_used_while_the_server_fails(server, reply):
    source = source_of(server)
    server.always = Reply(404)
    held = expire(source.fetch(BOX)[1])
    server.always = reply
    assert source.revalidate(BOX, held) == held


def test_missing_tiles_that_raise_are_not_cached(server, cache):
    filled = source_of(server)
    server.always = Reply(404)
    held = expire(filled.fetch(BOX)[1])
    strict = source_of(server, missing="raise")
    assert strict.token != filled.token
    assert strict.revalidate(BOX, held) is None
    for _ in range(2):
        with pytest.raises(SourceError, match="404"):
            read(cache.wrap(strict), BOX)
    assert cache.stats().entries == 0


def test_validator_of_present_and_filled_tiles(server):
    source = source_of(server)
    server.conditional = True
    server.replies[PATH] = [Reply(404)] * 2
    box = (slice(8, 16, 1), slice(16, 32, 1), slice(0, 3, 1))
    values, validator = source.fetch(box)
    assert (values[:, :8] == 7).all()
    assert (values[:, 8:] != 7).any()
    assert [len(row) for row in json.loads(validator)] == [5, 4]
    assert source.revalidate(box, expire(validator)) is not None
    assert source.revalidate(box, expire(validator)) is None


@pytest.mark.parametrize("marks", [["gone"], ["missing", "missing"], [True], [[]]])
def test_unknown_marks_are_invalid(server, marks):
    held = json.dumps([[None, None, time.time(), time.time() + 100, *marks]]).encode()
    assert source_of(server).revalidate(BOX, held) is None


ABSENT = {
    "forbidden": (Reply(403), 403),
    "bad request": (Reply(400), [400, 403]),
    "no body": (Reply(body=b"", type="image/png"), (200,)),
}


@pytest.mark.parametrize("kind", ABSENT)
def test_absent_option_fills_other_responses(server, cache, kind):
    server.conditional = True
    server.replies[PATH] = [ABSENT[kind][0]] * 9
    box = (slice(8, 16, 1), slice(16, 32, 1), slice(0, 3, 1))
    source_with_absent = source_of(server, absent=ABSENT[kind][1])
    values, validator = source_with_absent.fetch(box)
    assert (values[:, :8] == 7).all()
    assert (values[:, 8:] != 7).any()
    assert source_with_absent.revalidate(box, expire(validator)) is not None
    assert (read(cache.wrap(source_with_absent), box) == values).all()
    # Sources with other options do not get the filled values.
    for source in (source_of(server), source_of(server, missing="raise", absent=ABSENT[kind][1])):
        with pytest.raises(SourceError):
            read(cache.wrap(source), box)
    with biggus.set_options(offline=True):
        assert (read(cache.wrap(source_of(server, absent=ABSENT[kind][1])), box) == values).all()


def test_absent_status_with_an_image_is_a_tile(server):
    assert (read(source_of(server, absent=200), BOX) != 7).any()
    server.always = Reply(body=b"<html>", type="text/html")
    with pytest.raises(SourceError, match="a page"):
        read(source_of(server, absent=200), BOX)


@pytest.mark.parametrize(
    "absent", [500, 503, 429, 408, 522, 301, 206, 0, "403", None, 4.5, [403, None], (0,)]
)
def test_server_errors_are_invalid_as_absent(server, absent):
    with pytest.raises(OpenError, match="`absent=` is one or several statuses"):
        source_of(server, absent=absent)
