"""Records of netCDF variables that are read without the library match netCDF-C."""

from __future__ import annotations

import numpy as np
import pytest

from biggus.backends import Location, backend_named

netCDF4 = pytest.importorskip("netCDF4")
h5py = pytest.importorskip("h5py")

from biggus.backends.netcdf import recorded
from biggus.indexing.grid import whole

EVERYTHING = {"wanted": lambda *_: True}
NOTHING = {"wanted": lambda *_: False}


def record_of_file(path, wanted):
    [found] = backend_named("netcdf").records([Location(path)], "", **wanted, decode=False)
    return found


def values_of(path):
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        return {name: np.asarray(variable[...]) for name, variable in file.variables.items()}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.shape == expected[name].shape
        assert values.dtype == expected[name].dtype or not values.shape
        assert values.tolist() == expected[name].tolist()


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 5)
        file.createDimension("time", None)
        for dtype in ("i1", "u2", "i8", "f4", "f8"):
            file.createVariable(dtype, dtype, ("x",))[:] = np.arange(5)
        file.createVariable("big", ">f4", ("x",), endian="big")[:] = np.arange(5) / 3
        file.createVariable("alone", "i4", ())[...] = 7
        file.createVariable("time", "f8", ("time",), zlib=True)[:] = np.arange(3) / 7
        file.createVariable("never", "f4", ("x",))
    return path


def test_plain_values_are_read_without_the_library(plain, monkeypatch):
    expected = values_of(plain)
    monkeypatch.setattr(recorded, "read_packed", None)
    same(record_of_file(plain, EVERYTHING).values, expected)


def test_contiguous_variables_are_read_from_their_record(plain, monkeypatch):
    expected = values_of(plain)
    found = record_of_file(plain, NOTHING)
    placed = [name for name, record in found.variables.items() if record.own]
    assert placed == ["i1", "u2", "i8", "f4", "f8", "big"]
    monkeypatch.setattr(netCDF4, "Dataset", None)
    for name in placed:
        source = recorded.recalled(str(plain), name, found.variables[name])
        assert source[whole((5,))].tolist() == expected[name].tolist()


def test_unopenable_files_have_no_record(plain, tmp_path):
    short = tmp_path / "short.nc"
    short.write_bytes(plain.read_bytes()[:1000])
    locations = [Location(path) for path in (plain, short, tmp_path / "gone.nc", plain)]
    first, *none, last = backend_named("netcdf").records(locations, "", **EVERYTHING, decode=False)
    assert none == [None, None]
    assert first.variables == last.variables
    same(first.values, last.values)


def with_a_variable_unlike_its_dimension(file):
    file.createDimension("x", 3)
    file.createDimension("y", 2)
    file.createVariable("x", "f4", ("y",))[:] = [1, 2]


def with_a_variable_shorter_than_its_dimension(file):
    file.createDimension("a", None)
    file.createVariable("long", "i4", ("a",))[:] = np.arange(6)
    file.createVariable("short", "i4", ("a",))[:2] = [4, 5]


def with_other_types(file):
    file.createDimension("x", 3)
    truth = file.createEnumType("u1", "truth", {"no": 0, "yes": 1})
    file.createVariable("flags", truth, ("x",))[:] = [0, 1, 0]
    file.createVariable("letters", "S1", ("x",))[:] = [b"a", b"b", b"c"]


def with_an_empty_dimension(file):
    file.createDimension("none", 0)
    file.createVariable("empty", "f4", ("none",))


@pytest.mark.parametrize(
    "fill",
    [
        with_a_variable_unlike_its_dimension,
        with_a_variable_shorter_than_its_dimension,
        with_other_types,
        with_an_empty_dimension,
    ],
)
@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_other_variables_match_netcdf4(tmp_path, fill, kind):
    if kind != "NETCDF4" and fill is with_other_types:
        pytest.skip("classic files have no such types")
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        fill(file)
    expected = values_of(path)
    same(record_of_file(path, EVERYTHING).values, expected)
    for name, record in record_of_file(path, NOTHING).variables.items():
        source = recorded.recalled(str(path), name, record)
        if source.shape != (0,):
            assert source[whole(source.shape)].tolist() == expected[name].tolist()


def test_virtual_dataset_has_no_record_of_its_place(tmp_path):
    path = tmp_path / "a.nc"
    with h5py.File(tmp_path / "b.h5", "w") as other:
        other["v"] = np.arange(4.0)
    with h5py.File(path, "w", track_order=True) as file:
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "b.h5"), "v", (4,))
        virtual = file.create_virtual_dataset("v", layout)
        file["x"] = np.arange(4)
        file["x"].make_scale("x")
        virtual.dims[0].attach_scale(file["x"])
    for wanted in (EVERYTHING, NOTHING):
        found = record_of_file(path, wanted)
        assert found is None or not found.variables["v"].own
