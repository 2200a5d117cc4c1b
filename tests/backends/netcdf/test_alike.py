"""Files like one that was read before: their records are equal to those of the libraries."""

from __future__ import annotations

import random

import numpy as np
import pytest

from biggus.backends import Location, backend_named

netCDF4 = pytest.importorskip("netCDF4")
h5py = pytest.importorskip("h5py")

from biggus.backends.netcdf import alike, recorded


def wanted(name, dims, shape, dtype):
    return len(shape) < 2


def by_libraries(path, group=""):
    alike.known_examples.clear()
    [found] = backend_named("netcdf").records([Location(path)], group, wanted, decode=False)
    return found


def recorded_alone(path):
    """Return the record by the libraries, and keep the examples."""
    examples = dict(alike.known_examples)
    found = by_libraries(path)
    alike.known_examples.clear()
    alike.known_examples.update(examples)
    return found


def by_example(path, example, monkeypatch, group=""):
    """Return the record of `path` without the libraries; None if it is not like the example."""
    by_libraries(example, group)
    with monkeypatch.context() as patched:
        patched.setattr(recorded, "_read_by_netcdf_c", lambda *_: None)
        [found] = backend_named("netcdf").records([Location(path)], group, wanted, decode=False)
    return found


def assert_equal(found, expected):
    assert repr(found.attributes) == repr(expected.attributes)
    assert repr(found.variables) == repr(expected.variables)
    assert found.values.keys() == expected.values.keys()
    for name, values in expected.values.items():
        assert found.values[name].dtype == values.dtype
        assert found.values[name].shape == values.shape
        assert found.values[name].tobytes() == values.tobytes()


def write(
    path, first=0, since="2001-01-01", lat="lat", dtype="f4", scale=2.0, history="by a", inner=1
):
    """Write a file as xarray does by h5netcdf: dimension scales, and texts of variable length."""
    with h5py.File(path, "w") as file:
        file.attrs["history"] = history
        file.attrs["units"] = f"days since {since}"
        for name, values in {"time": [first], lat: np.arange(3) * scale}.items():
            file[name] = np.asarray(values, "f8")
            file[name].make_scale(name)
        file["time"].attrs["units"] = f"days since {since}"
        file["time"].attrs["calendar"] = "standard"
        file["t"] = np.arange(first, first + 3).reshape(1, 3).astype(dtype)
        file["t"].attrs["scale_factor"] = scale
        file["t"].attrs["_Encoding"] = "utf-8"
        for axis, name in enumerate(("time", lat)):
            file["t"].dims[axis].attach_scale(file[name])
        file["alone"] = np.int16(first)
        file["inner/v"] = np.arange(inner, inner + 4.0)


@pytest.fixture
def example(tmp_path):
    write(tmp_path / "example.nc")
    return tmp_path / "example.nc"


@pytest.mark.parametrize("group", ["", "inner"])
@pytest.mark.parametrize("changes", [{}, {"first": 7}, {"inner": 5}])
def test_other_values_are_read(example, tmp_path, monkeypatch, group, changes):
    write(tmp_path / "a.nc", **changes)
    found = by_example(tmp_path / "a.nc", example, monkeypatch, group)
    hidden = changes.keys() & ({"first"} if group else {"inner"})
    assert (found is None) == bool(hidden), "values of other groups are not known to be values"
    if found is not None:
        assert_equal(found, by_libraries(tmp_path / "a.nc", group))


@pytest.mark.parametrize("changes", [{"since": "1999-12-31"}, {"history": "by b"}])
def test_other_texts_of_the_same_length_are_read(example, tmp_path, monkeypatch, changes):
    write(tmp_path / "a.nc", **changes)
    found = by_example(tmp_path / "a.nc", example, monkeypatch)
    assert_equal(found, by_libraries(tmp_path / "a.nc"))


@pytest.mark.parametrize(
    "changes", [{"lat": "lot"}, {"dtype": "i4"}, {"scale": 3.0}, {"since": "1999-1-1"}]
)
def test_other_files_are_left_to_the_libraries(example, tmp_path, monkeypatch, changes):
    write(tmp_path / "a.nc", **changes)
    assert by_example(tmp_path / "a.nc", example, monkeypatch) is None


def test_any_changed_byte_is_read_as_by_the_libraries(example, tmp_path, monkeypatch):
    data, path, matches = example.read_bytes(), tmp_path / "a.nc", 0
    texts = [data.index(text) + 2 for text in (b"days since", b"by a", b"standard", b"utf-8")]
    offsets = [*texts, *random.Random(0).sample(range(len(data)), 150)]
    for number, offset in enumerate(offsets):
        changed = bytearray(data)
        changed[offset] = b"z\0\xe9"[number % 3] if number > 3 else ord("z")
        path.write_bytes(changed)
        found = by_example(path, example, monkeypatch)
        if found is not None:
            matches += 1
            assert_equal(found, by_libraries(path))
    assert matches > 3


def test_files_of_the_netcdf_library_are_compared(tmp_path, monkeypatch):
    for number, name in enumerate(("example.nc", "a.nc")):
        with netCDF4.Dataset(tmp_path / name, "w") as file:
            file.createDimension("x", 5)
            file.createVariable("x", "i4", ("x",))[:] = np.arange(5) + number
            file.createVariable("big", ">f4", ("x",), endian="big")[:] = np.arange(5) / 3 + number
            file.createVariable("packed", "i2", ("x",), zlib=True)[:] = np.arange(5)
            file.createVariable("never", "f4", ("x",))
            file.createVariable("words", str, ("x",))[:] = np.array(list("abcde"), object)
    found = by_example(tmp_path / "a.nc", tmp_path / "example.nc", monkeypatch)
    assert_equal(found, by_libraries(tmp_path / "a.nc"))


def test_chunks_that_are_not_compressed_may_have_other_values(tmp_path, monkeypatch):
    for number, name in enumerate(("example.nc", "a.nc")):
        with netCDF4.Dataset(tmp_path / name, "w") as file:
            file.createDimension("time", None)
            file.createDimension("x", 5)
            time = file.createVariable("time", "f8", ("time",), chunksizes=(2,))
            values = file.createVariable("v", "f4", ("time", "x"), chunksizes=(2, 3))
            time[:] = np.arange(5) + number
            values[:] = np.arange(25).reshape(5, 5) * number
    found = by_example(tmp_path / "a.nc", tmp_path / "example.nc", monkeypatch)
    assert_equal(found, by_libraries(tmp_path / "a.nc"))


@pytest.mark.parametrize("fixed", [False, True])
def test_text_of_an_attribute_is_not_taken_from_values(tmp_path, monkeypatch, fixed):
    for name, word in (("example.nc", "north"), ("a.nc", "south")):
        with h5py.File(tmp_path / name, "w", track_order=True) as file:
            file.attrs["region"] = np.bytes_("north") if fixed else "north"
            file["words"] = [word]
    assert by_libraries(tmp_path / "a.nc").attributes == {"region": "north"}
    assert by_example(tmp_path / "a.nc", tmp_path / "example.nc", monkeypatch) is None


def test_file_open_for_writing_is_left_to_the_libraries(example, tmp_path, monkeypatch):
    write(tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+"):
        assert by_example(tmp_path / "a.nc", example, monkeypatch) is None


def linked(file, other):
    file["v"] = h5py.ExternalLink(other, "v")


def external(file, other):
    file.create_dataset("v", (4,), "f8", external=[(other, 0, 32)])


def virtual(file, other):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(other, "v", (4,))
    file.create_virtual_dataset("v", layout)


@pytest.mark.parametrize("add_values", [linked, external, virtual])
def test_values_in_other_files_are_left_to_the_libraries(tmp_path, monkeypatch, add_values):
    with h5py.File(tmp_path / "b.h5", "w") as other:
        other["v"] = np.arange(4.0)
    for name in ("example.nc", "a.nc"):
        with h5py.File(tmp_path / name, "w", track_order=True) as file:
            file["x"] = np.arange(4)
            add_values(file, str(tmp_path / "b.h5"))
    assert by_example(tmp_path / "a.nc", tmp_path / "example.nc", monkeypatch) is None
