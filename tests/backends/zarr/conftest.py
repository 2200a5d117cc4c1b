"""A server of the folder of each test, and few seconds between attempts."""

import pytest
from zarr_server import serving

from biggus.backends.http import client


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.01)
