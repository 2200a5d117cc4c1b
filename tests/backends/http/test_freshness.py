"""Lifetime of cached copies: response headers, options, and failing servers."""

import json
import math
import time
from datetime import timedelta
from email.utils import formatdate

import numpy as np
import pytest

pytest.importorskip("urllib3")
pytest.importorskip("zarr")
pytest.importorskip("PIL")

from odd_store import VALUES, Store
from raw_server import answer, sending
from tile_server import Reply, TileServer

import biggus
from biggus.backends.http import client as http
from biggus.backends.http.freshness import Freshness, lifetime
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.backends.zarr.remote import FRESH_SECONDS
from biggus.cache import Cache
from biggus.errors import OpenError, SourceError
from biggus.sources.base import whole

DAY = 86400.0


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(http, "DOWN_SECONDS", 0.0)


@pytest.fixture
def store():
    store = Store()
    yield store
    store.stop()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, math.inf),
        ({"Cache-Control": "max-age=60"}, 60.0),
        ({"Cache-Control": "MAX-AGE=60, public", "Age": "70"}, 0.0),
        ({"Cache-Control": "no-cache, max-age=60"}, 0.0),
        ({"Cache-Control": "private, no-store"}, None),
        (
            {"Expires": formatdate(2e9, usegmt=True), "Date": formatdate(2e9 - 50, usegmt=True)},
            50.0,
        ),
        ({"Expires": "-1"}, 0.0),
        ({"Cache-Control": "max-age=soon", "Age": "\u00b2"}, math.inf),
        ({"Age": "99999999999999999999"}, math.inf),
    ],
)
def test_lifetime_by_response_headers(headers, seconds):
    assert lifetime(headers, math.inf) == seconds


def chunk(**headers):
    return sending(answer(VALUES.tobytes(), ETag='"a"', **headers))


def validator_of(source):
    _, validator = source.fetch(whole(source.shape))
    return validator


def age_validator(validator, seconds):
    fields = json.loads(validator)
    return json.dumps(fields | {"checked": fields["checked"] - seconds}).encode()


@pytest.mark.parametrize(
    ("headers", "options", "good_for"),
    [
        ({}, {}, FRESH_SECONDS),
        ({"Cache_Control": "max-age=7200"}, {}, 7200),
        ({"Cache_Control": "max-age=60"}, {}, 60),
        ({"Cache_Control": "no-cache"}, {}, 0),
        ({"Expires": "0"}, {}, 0),
        ({"Cache_Control": "max-age=60"}, {"fresh_for": 500}, 500),
        ({}, {"fresh_for": 500}, 500),
    ],
)
def test_lifetime_of_chunks(store, headers, options, good_for):
    store.chunk = chunk(**headers)
    source = store.open(**options)
    validator = validator_of(source)
    box = whole(source.shape)
    # Allow a minute, for slow machines.
    if good_for > 60:
        assert not source.revalidation_waits(box, age_validator(validator, good_for - 60))
    assert source.revalidation_waits(box, age_validator(validator, good_for + 60))


def test_lifetime_of_several_chunks_is_the_shortest(store):
    def send(connection, path):
        age = 50 if path.endswith("/1") else 5000
        connection.sendall(answer(VALUES.tobytes(), Cache_Control=f"max-age={age}"))

    store.chunk = send
    assert json.loads(validator_of(store.open()))["good_for"] == 50


def test_no_store_chunks_are_not_cached(store, tmp_path):
    store.chunk = chunk(Cache_Control="no-store")
    assert validator_of(store.open(fresh_for=500)) is None
    with Cache(tmp_path / "cache") as cache:
        array = biggus.open(f"{store.url}/a", "/", backend="zarr", cache=cache)
        for reads in (1, 2):
            assert array.ndarray().tolist() == [*VALUES, *VALUES]
            assert sum(path.endswith("/1") for path in store.paths) == reads + 1


@pytest.mark.parametrize("trouble", [answer(b"", "503 Busy"), b""])
def test_stale_chunk_is_used_while_the_server_fails(store, trouble):
    store.chunk = chunk(Cache_Control="max-age=100")
    source = store.open(stale_if_error=1000)
    forever = store.open()
    validator, box = validator_of(source), whole(source.shape)
    store.chunk = sending(trouble)
    for age, kept in ((500, True), (5000, False)):
        old = age_validator(validator, age)
        assert source.revalidate(box, old) == (old if kept else None)
        assert forever.revalidate(box, old) == old


@pytest.fixture
def tiles():
    server = TileServer().start()
    yield server
    server.stop()


@pytest.mark.parametrize("longest", [1000, timedelta(seconds=1000)])
@pytest.mark.parametrize("trouble", [Reply(503), Reply(hang_up=True)])
def test_stale_tile_is_used_while_the_server_fails(tiles, trouble, longest):
    template = Location(tiles.url + "/RGB/{z}/{x}/{y}.png?size=8")
    options = {"zoom": 3, "tile_size": 8, "retries": 0, "fresh_for": 100}
    source = TilesBackend().open(template, stale_if_error=longest, **options)
    forever = TilesBackend().open(template, **options)
    box = (slice(8, 16, 1), slice(16, 24, 1), slice(0, 3, 1))
    _, validator = source.fetch(box)
    tiles.always = trouble
    for age, kept in ((500, True), (5000, False)):
        [[etag, modified, checked, expires]] = json.loads(validator)
        old = json.dumps([[etag, modified, checked - age, expires - age]]).encode()
        assert source.revalidate(box, old) == (old if kept else None)
        assert forever.revalidate(box, old) == old


def test_too_old_tile_raises_while_the_server_fails(tiles, tmp_path, monkeypatch):
    template = tiles.url + "/RGB/{z}/{x}/{y}.png?size=8"
    options = {"zoom": 1, "tile_size": 8, "retries": 0, "fresh_for": 0, "stale_if_error": DAY}
    with Cache(tmp_path / "cache") as cache:
        array = biggus.open(template, cache=cache, **options)
        expected = array.ndarray()
        tiles.always = Reply(503)
        assert np.array_equal(array.ndarray(), expected)
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + 2 * DAY)
        with pytest.raises(SourceError, match="503"):
            array.ndarray()


def test_stale_copies_have_no_age_limit_by_default(monkeypatch):
    entry = Freshness(None, None, 0.0, 1.0)
    assert entry.stands_in(None)
    assert not entry.stands_in(DAY)


@pytest.mark.parametrize("value", [-1, "long", True])
def test_invalid_stale_if_error_raises(value):
    with pytest.raises(OpenError, match="`stale_if_error=` is a number of seconds"):
        TilesBackend().open(Location("http://host/{z}/{x}/{y}.png"), zoom=1, stale_if_error=value)
