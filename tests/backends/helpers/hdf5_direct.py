"""Helpers for HDF5 datasets that are read without libhdf5."""

from __future__ import annotations

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("hypothesis")
from biggus.sources.base import read


def values_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(7)
    if dtype == "enum":
        return rng.integers(0, 3, shape).astype("i2")
    if dtype.startswith("S"):
        return np.array([b"", b"a", b"\x00b", b"abcde"], "S5")[rng.integers(0, 4, shape)].astype(
            dtype
        )
    raw = rng.integers(-100, 100, shape)
    if dtype == "?":
        return raw > 0
    with np.errstate(all="ignore"):
        return (raw * (1 + 2j) if "c" in dtype else raw).astype(dtype)


def type_of(dtype: str):
    if dtype == "enum":
        return h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, basetype="i2")
    return np.dtype(dtype)


def same(source, dataset, box) -> None:
    expected = np.asarray(dataset[box])
    found = read(source, box)
    assert found.dtype == np.dtype(expected.dtype.str) == source.dtype
    assert found.tobytes() == expected.tobytes()
    assert found.flags.writeable
    assert found.flags.c_contiguous


def refuse(*_):
    raise AssertionError("the library read values")


def plist(layout=None, **settings):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout is not None:
        made.set_layout(layout)
    for name, value in settings.items():
        getattr(made, f"set_{name}")(value)
    return made


def create(file, name: str, shape, properties, dtype="<i4"):
    space = h5py.h5s.create_simple(shape)
    created = h5py.h5d.create(
        file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, properties
    )
    return h5py.Dataset(created)
