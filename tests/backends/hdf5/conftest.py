"""Fixtures of the HDF5 tests."""

import pytest


@pytest.fixture
def fail_on_library_reads(monkeypatch):
    """Fail the test if values are read through libhdf5."""
    from hdf5_direct import refuse

    monkeypatch.setattr("biggus.backends.hdf5.source.read_values", refuse)
