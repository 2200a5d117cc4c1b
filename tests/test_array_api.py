"""The array API namespace of lazy arrays."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

xp = biggus.array_api


def test_array_namespace():
    a = biggus.ArrayAdapter(UnreadableSource((2, 3)))
    assert a.__array_namespace__() is xp
    assert a.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match=r"2030\.12"):
        a.__array_namespace__(api_version="2030.12")
    if hasattr(np, "__array_namespace_info__"):  # since NumPy 2.1
        assert xp.__array_namespace_info__().default_device() == "cpu"
    for made in (
        xp.mean(a, axis=0),
        xp.astype(a, xp.float32),
        xp.permute_dims(a, (1, 0)),
        xp.concat([a, a]),
        xp.where(a > 0, a, 0),
        xp.cumulative_sum(a, axis=1) if hasattr(np, "cumulative_sum") else a,
        a.mT,
        a.to_device("cpu"),
        xp.asarray(a),
    ):
        assert type(made) is biggus.Array


def test_creation_functions_return_lazy_arrays():
    for made, right in (
        (xp.asarray([1, 2]), np.asarray([1, 2])),
        (xp.asarray(np.arange(3), dtype=xp.float32), np.arange(3, dtype="f4")),
        (xp.zeros((2, 3)), np.zeros((2, 3))),
        (xp.ones(3, dtype=xp.int8), np.ones(3, "i1")),
        (xp.full((2,), 5, device="cpu"), np.full(2, 5)),
        (xp.arange(1, 9, 2), np.arange(1, 9, 2)),
        (xp.linspace(0, 1, 5), np.linspace(0, 1, 5)),
        (xp.eye(3, k=1), np.eye(3, k=1)),
        (xp.from_dlpack(np.arange(4)), np.arange(4)),
    ):
        assert type(made) is biggus.Array
        assert made.dtype == right.dtype
        np.testing.assert_array_equal(made.ndarray(), right)
    with pytest.raises(ValueError, match="gpu"):
        xp.zeros(3, device="gpu")
    with pytest.raises(ValueError, match="gpu"):
        xp.zeros(3).to_device("gpu")


def test_device_and_dlpack():
    a = biggus.ArrayAdapter(np.arange(6.0).reshape(2, 3))
    assert a.device == "cpu"
    np.testing.assert_array_equal(np.from_dlpack(a), np.arange(6.0).reshape(2, 3))
    with pytest.raises(ValueError, match="two axes"):
        _ = a[0].mT


def test_masked_arrays_have_no_namespace():
    masked = biggus.ArrayAdapter(np.ma.masked_equal([1.0, 2], 2))
    assert not hasattr(masked, "__array_namespace__")
