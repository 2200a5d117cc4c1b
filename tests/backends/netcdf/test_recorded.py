"""Records of netCDF variables: what is seen at a glance is what netCDF-C tells."""

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


def records(path, wanted):
    [found] = backend_named("netcdf").records([Location(path)], "", **wanted, decode=False)
    return found


def values_of(path):
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        return {name: np.asarray(variable[...]) for name, variable in file.variables.items()}


def same(found, right):
    assert found.keys() == right.keys()
    for name, values in found.items():
        assert values.shape == right[name].shape
        assert values.dtype == right[name].dtype or not values.shape
        assert values.tolist() == right[name].tolist()


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


def test_what_is_plain_is_read_at_a_glance(plain, monkeypatch):
    right = values_of(plain)
    monkeypatch.setattr(recorded, "read_packed", None)
    same(records(plain, EVERYTHING).values, right)


def test_what_lies_in_one_piece_is_read_of_its_record(plain, monkeypatch):
    right = values_of(plain)
    found = records(plain, NOTHING)
    placed = [name for name, record in found.variables.items() if record.own]
    assert placed == ["i1", "u2", "i8", "f4", "f8", "big"]
    monkeypatch.setattr(netCDF4, "Dataset", None)
    for name in placed:
        source = recorded.recalled(str(plain), name, found.variables[name])
        assert source[whole((5,))].tolist() == right[name].tolist()


def test_what_cannot_be_opened_has_none_beside_what_can(plain, tmp_path):
    short = tmp_path / "short.nc"
    short.write_bytes(plain.read_bytes()[:1000])
    where = [Location(path) for path in (plain, short, tmp_path / "gone.nc", plain)]
    first, *none, last = backend_named("netcdf").records(where, "", **EVERYTHING, decode=False)
    assert none == [None, None]
    assert first.variables == last.variables
    same(first.values, last.values)


def unlike_another_of_its_name(file):
    file.createDimension("x", 3)
    file.createDimension("y", 2)
    file.createVariable("x", "f4", ("y",))[:] = [1, 2]


def shorter_than_its_dimension(file):
    file.createDimension("a", None)
    file.createVariable("long", "i4", ("a",))[:] = np.arange(6)
    file.createVariable("short", "i4", ("a",))[:2] = [4, 5]


def of_other_types(file):
    file.createDimension("x", 3)
    truth = file.createEnumType("u1", "truth", {"no": 0, "yes": 1})
    file.createVariable("flags", truth, ("x",))[:] = [0, 1, 0]
    file.createVariable("letters", "S1", ("x",))[:] = [b"a", b"b", b"c"]


def of_no_length(file):
    file.createDimension("none", 0)
    file.createVariable("empty", "f4", ("none",))


@pytest.mark.parametrize(
    "fill",
    [unlike_another_of_its_name, shorter_than_its_dimension, of_other_types, of_no_length],
)
@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_what_is_not_is_as_the_library_tells(tmp_path, fill, kind):
    if kind != "NETCDF4" and fill is of_other_types:
        pytest.skip("classic files have no such types")
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        fill(file)
    right = values_of(path)
    same(records(path, EVERYTHING).values, right)
    for name, record in records(path, NOTHING).variables.items():
        source = recorded.recalled(str(path), name, record)
        if source.shape != (0,):
            assert source[whole(source.shape)].tolist() == right[name].tolist()


def test_values_that_lie_in_another_file_are_the_library_s(tmp_path):
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
        found = records(path, wanted)
        assert found is None or not found.variables["v"].own
