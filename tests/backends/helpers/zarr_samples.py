"""Zarr arrays that zarr-python writes, and that biggus opens."""

from __future__ import annotations

import warnings

import numpy as np

from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend

BACKEND = ZarrBackend()


def open_zarr(path, variable="/", **options):
    return BACKEND.open(Location(path), variable, **options)


def create(path, data, **kwargs):
    """Write an array with zarr-python, ignoring its warnings."""
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zarr.create_array(path, data=data, **kwargs)


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
