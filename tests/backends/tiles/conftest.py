"""Fixtures: a tile server for each test, and short pauses between attempts."""

import pytest

from biggus.backends.http import client as http


@pytest.fixture
def server():
    from tile_server import TileServer

    server = TileServer().start()
    yield server
    server.stop()


@pytest.fixture
def short_backoff(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)
