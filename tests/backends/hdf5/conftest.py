"""Makes sure that the library reads no values."""

import pytest


@pytest.fixture
def unaided(monkeypatch):
    """The library may not be asked for values."""
    from hdf5_direct import refuse

    monkeypatch.setattr("biggus.backends.hdf5.source.read_values", refuse)
