"""Copies of remote chunks: fresh ones need no request, stale ones one conditional request."""

from __future__ import annotations

import json
import logging
import time

import numpy as np
import pytest
from zarr_samples import open_zarr
from zarr_server import status

import biggus
from biggus.backends.zarr import remote as zarr_remote

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")
from zarr_remote import BOX, DATA, age, broken

ONE = (slice(0, 7, 1), slice(0, 8, 1))


@pytest.fixture
def server(store_server):
    return store_server


def test_fresh_chunk_needs_no_request(server):
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=100)
    values, validator = source.fetch(ONE)
    np.testing.assert_array_equal(values, DATA[ONE])
    assert source.validator(ONE) is None
    server.requests.clear()
    assert source.revalidate(ONE, validator) == validator
    assert source.revalidate(ONE, age(validator, 90)) == age(validator, 90)
    assert server.requests == []
    assert source.revalidate(ONE, b"garbage") is None
    assert source.revalidate(BOX, validator) is None


@pytest.mark.parametrize("validators", ["etags", "dates"])
def test_stale_chunk_needs_one_conditional_request(server, validators):
    server.etags, server.dates = validators == "etags", validators == "dates"
    chunk = server.folder / "s.zarr/plain/c/0/0"
    make_older(chunk, 100)
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=100)
    validator = age(source.fetch(ONE)[1], 200)
    server.requests.clear()
    revalidated = source.revalidate(ONE, validator)
    assert server.paths() == ["/s.zarr/plain/c/0/0"]
    assert json.loads(revalidated)["checked"] > time.time() - 50
    assert source.revalidate(ONE, revalidated) == revalidated
    assert len(server.requests) == 1
    chunk.write_bytes(chunk.read_bytes())
    make_older(chunk, 50)
    assert source.revalidate(ONE, validator) is None


def make_older(path, seconds):
    import os

    now = path.stat().st_mtime
    os.utime(path, (now - seconds, now - seconds))


def test_expired_chunks_are_requested_once(server, tmp_path):
    with biggus.Cache(tmp_path / "cache") as cache:
        array = biggus.open(f"{server.url}/two.zarr", cache=cache, fresh_for=0)
        np.testing.assert_array_equal(array.ndarray(), DATA)
        server.requests.clear()
        np.testing.assert_array_equal(array.ndarray(), DATA)
    chunks = [path for path in server.paths() if "/.z" not in path]
    assert len(chunks) == len(set(chunks)) == 12


def test_stale_chunk_without_validators_is_fetched_again(server):
    server.etags = False
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=100)
    validator = source.fetch(ONE)[1]
    assert source.revalidate(ONE, validator) == validator
    assert source.revalidate(ONE, age(validator, 200)) is None


def test_absence_is_revalidated(server):
    source = open_zarr(f"{server.url}/s.zarr", "sparse", fresh_for=100)
    box = (slice(0, 2, 1),)
    validator = age(source.fetch(box)[1], 200)
    assert source.revalidate(box, validator) is not None
    zarr.open_array(server.folder / "s.zarr/sparse")[0:2] = 5
    assert source.revalidate(box, validator) is None


def test_changed_metadata_invalidates_copies(server, monkeypatch):
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=0.0)
    validator = source.fetch(ONE)[1]
    assert source.revalidate(ONE, validator) is not None
    rows, columns = DATA.shape
    zarr.open_array(server.folder / "s.zarr/plain").resize((rows - 1, columns))
    assert source.revalidate(ONE, validator) is None


def test_copies_stay_good_when_the_array_grows(server):
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=0.0)
    values, validator = source.fetch(ONE)
    rows, columns = DATA.shape
    zarr.open_array(server.folder / "s.zarr/plain").resize((rows + 9, columns))
    assert source.revalidate(ONE, validator) is not None
    grown = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=0.0)
    assert grown.shape == (rows + 9, columns)
    assert grown.revalidate(ONE, validator) is not None
    np.testing.assert_array_equal(source.fetch(ONE)[0], values)


def test_stale_chunk_is_used_while_the_server_fails(server, caplog):
    caplog.set_level(logging.WARNING, "biggus")
    source = open_zarr(f"{server.url}/s.zarr", "plain", fresh_for=100, retries=0)
    validator = age(source.fetch(ONE)[1], 200)
    server.failures["/s.zarr/plain/c/0/0"] = [10**6, status(503)]
    assert source.revalidate(ONE, validator) == validator
    assert "kept" in caplog.text
    server.failures["/s.zarr/plain/c/0/0"] = [10**6, broken]
    assert source.revalidate(ONE, validator) == validator


def test_default_fresh_for_and_unknown_options(server):
    assert open_zarr(f"{server.url}/two.zarr").fresh_for == zarr_remote.FRESH_SECONDS
    with pytest.raises(TypeError):
        open_zarr(f"{server.url}/two.zarr", storage_options={})
    with pytest.raises(TypeError):
        open_zarr(f"{server.url}/two.zarr", zoom=3)
