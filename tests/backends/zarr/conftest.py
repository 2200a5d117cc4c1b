"""Fixtures: a server of each test's folder, sample stores, and short pauses between attempts."""

import shutil

import pytest
from zarr_server import serving

from biggus.backends.http import client


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch):
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.01)


@pytest.fixture(scope="module")
def served_stores(tmp_path_factory):
    """Return a folder of a few stores."""
    import zarr
    from zarr_remote import DATA

    folder = tmp_path_factory.mktemp("stores")
    root = zarr.create_group(folder / "s.zarr")
    root.create_array("plain", data=DATA, chunks=(7, 8), attributes={"units": "K"})
    root.create_array("g/sharded", data=DATA, chunks=(5, 5), shards=(10, 15))
    sparse = root.create_array("sparse", shape=(8,), chunks=(2,), dtype="i4", fill_value=-9)
    sparse[2:4] = 1
    zarr.create_array(folder / "two.zarr", data=DATA, chunks=(7, 8), zarr_format=2)
    return folder


@pytest.fixture
def store_server(served_stores, tmp_path):
    """A server of the folder `tmp_path`, which holds fresh copies of these stores."""
    shutil.copytree(served_stores, tmp_path, copy_function=shutil.copyfile, dirs_exist_ok=True)
    with serving(tmp_path) as found:
        yield found
