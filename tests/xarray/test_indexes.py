"""Datasets opened with their indexes are those to which xarray adds default indexes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import biggus

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")

import biggus.xarray.engine as engine_module

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of xarray about times

WIDE = np.arange(200_000.0)


def _noleap(file):
    along = file.createVariable("time", "f8", ("time",))
    along.units, along.calendar, along.bounds = "days since 2000-02-27", "noleap", "time_bnds"
    along[:] = [0.5, 1.5]
    file.createVariable("time_bnds", "f8", ("time", "x"))[:] = np.ones((2, 3))
    file.createVariable("x", "i4", ("x",))[:] = [3, 1, 2]


def _packed(file):
    along = file.createVariable("x", "i2", ("x",), fill_value=-1)
    along.scale_factor, along.units = 0.5, "m"
    along.set_auto_maskandscale(False)
    along[:] = [2, -1, 4]
    file.createVariable("time", "i8", ("time",)).units = "hours since 1999-01-01"
    file["time"][:] = [1, 2]


def _texts(file):
    file.createVariable("x", str, ("x",))[:] = np.array(["a", "b", "a"], object)
    file.createVariable("time", "f4", ("time",))[:] = [np.nan, 1]
    file.createVariable("height", "f8", ())[...] = 2
    file["v"].coordinates = "height lat"
    file.createVariable("lat", "f8", ("time", "x"))[:] = 1


def _without(file):
    file.createVariable("y", "f4", ("x",))[:] = 1
    file.coordinates = "y"


def _wide(file):
    file.createDimension("wide", WIDE.size)
    file.createVariable("wide", "f8", ("wide",))[:] = WIDE
    file.createDimension("none", None)
    file.createVariable("none", ">i2", ("none",))
    file.createVariable("flag", "i1", ("x",)).dtype_of_it = "none"
    file["flag"].setncattr("dtype", "bool")


FILES = {each.__name__[1:]: each for each in (_noleap, _packed, _texts, _without, _wide)}

ARGUMENTS = {
    "default": {},
    "undecoded": {"decode_cf": False},
    "unscaled": {"mask_and_scale": False},
    "times by cftime": {"use_cftime": True},
    "numbers": {"decode_times": False},
    "all coordinates": {"decode_coords": "all"},
    "no coordinates": {"decode_coords": False},
    "dropped": {"drop_variables": ["x"]},
    "chunks": {"chunks": {}},
    "durations": {"decode_timedelta": True},
}


@pytest.fixture(params=FILES)
def path(request, tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 2)
        file.createDimension("x", 3)
        file.title = "t"
        file.createVariable("v", "f4", ("time", "x"))[:] = np.arange(6).reshape(2, 3)
        FILES[request.param](file)
    return path


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_dataset_is_that_of_xarrays_own_indexes(path, arguments, monkeypatch):
    made = []
    with_indexes = engine_module.with_indexes
    monkeypatch.setattr(
        engine_module, "with_indexes", lambda found: made.append(1) or with_indexes(found)
    )
    found = xr.open_dataset(path, engine="biggus", **ARGUMENTS[arguments])
    assert bool(made) == ("create_default_indexes" in inspect.signature(xr.open_dataset).parameters)
    monkeypatch.setattr(engine_module, "wants_indexes", lambda: False)
    right = xr.open_dataset(path, engine="biggus", **ARGUMENTS[arguments])
    assert repr(found) == repr(right)
    xr.testing.assert_identical(found, right)
    assert found.encoding == right.encoding
    assert list(found.xindexes) == list(right.xindexes)
    for name, variable in found.variables.items():
        other = right.variables[name]
        assert (type(variable), variable.dtype) == (type(other), other.dtype)
        assert type(variable._data) is type(other._data)
        assert list(variable.attrs) == list(other.attrs)
        assert repr(variable.encoding) == repr(other.encoding)
        if name in found.xindexes:
            assert type(found.indexes[name]) is type(right.indexes[name])
            assert found.indexes[name].identical(right.indexes[name])


def test_dataset_has_no_indexes_if_none_are_wanted(path):
    if "create_default_indexes" not in inspect.signature(xr.open_dataset).parameters:
        pytest.skip("this release of xarray always creates them")
    found = xr.open_dataset(path, engine="biggus", create_default_indexes=False)
    assert not found.xindexes
    assert not biggus.xarray.Engine().open_dataset(path).xindexes
