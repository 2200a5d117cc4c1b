"""Variables that are named in their location: ``a.h5::group/v``."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends.location import place_and_variable, split_location
from biggus.cli import main
from biggus.errors import GoneError, VariableError

h5py = pytest.importorskip("h5py")

VALUES = np.arange(6.0).reshape(2, 3)


def write_file(path):
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file["group/v"], file["w"] = VALUES, -VALUES
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.h5", "b.h5"):
        write_file(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "a.h5::group/v",
        "./a.h5::/group/v",
        "{folder}/a.h5::group/v",
        "file://{folder}/a.h5::group/v",
    ],
)
def test_open_with_a_variable_in_the_location(folder, text):
    text = text.format(folder=folder)
    np.testing.assert_array_equal(biggus.open(text).ndarray(), VALUES)
    np.testing.assert_array_equal(biggus.open(Path("a.h5::w")).ndarray(), -VALUES)


def test_variable_in_the_location_gives_the_same_token(folder):
    in_location, as_argument = biggus.open("a.h5::w"), biggus.open("a.h5", "w")
    assert in_location.node.source.token == as_argument.node.source.token


def test_empty_variable_name_raises(folder):
    with pytest.raises(VariableError, match=r"name one of its variables, as in a\.h5::"):
        biggus.open("a.h5::")


@pytest.mark.parametrize("name", ["w", "group/v"])
@pytest.mark.parametrize("again", ["w", "group/v", ""])
def test_naming_the_variable_twice_raises(folder, name, again):
    for call in (biggus.open, biggus.open_many):
        with pytest.raises(VariableError, match="named twice"):
            call(f"a.h5::{name}", again)
    with pytest.raises(VariableError, match="named twice"):
        biggus.open_many(["a.h5", f"b.h5::{name}"], again)


def test_missing_variable_and_file(folder):
    with pytest.raises(VariableError, match=r"a.h5: .*'x'"):
        biggus.open("a.h5::x")
    with pytest.raises(GoneError, match=r"c\.h5: there is no such"):
        biggus.open("c.h5::w")
    with pytest.raises(GoneError, match=r"c\*\.h5: no file matches"):
        biggus.open_many("c*.h5::w")


@pytest.mark.parametrize("name", ["x::y.h5", "x::y", "x::w", "::w", "x::", "[1]::y.h5"])
def test_path_with_colons(folder, name):
    if os.name == "nt":
        pytest.skip("no file has such a name")
    write_file(folder / name)
    np.testing.assert_array_equal(biggus.open(name, "w").ndarray(), -VALUES)
    np.testing.assert_array_equal(biggus.open(f"{name}::group/v").ndarray(), VALUES)
    np.testing.assert_array_equal(biggus.open_many([name], "w").ndarray(), -VALUES)
    if not name.startswith("["):
        np.testing.assert_array_equal(biggus.open_many(name, "w").ndarray(), -VALUES)
        np.testing.assert_array_equal(biggus.open_many(f"{name}::w").ndarray(), -VALUES)


def test_pattern_with_colons(folder):
    if os.name == "nt":
        pytest.skip("no file has such a name")
    write_file(folder / "x::1.h5")
    write_file(folder / "x::2.h5")
    for joined in (biggus.open_many("x::*.h5", "w"), biggus.open_many("x::*.h5::w")):
        np.testing.assert_array_equal(joined.ndarray(), np.concatenate([-VALUES, -VALUES]))


@pytest.mark.parametrize(
    ("locations", "factors"),
    [
        ("?.h5::w", (-1, -1)),
        (Path("?.h5::group/v"), (1, 1)),
        (["a.h5::w", "b.h5::w"], (-1, -1)),
        (["a.h5::w", "b.h5"], (-1, -1)),
        (["a.h5", "b.h5::group/v"], (1, 1)),
        (["a.h5::w", "b.h5::group/v"], (-1, 1)),
        (iter(["a.h5::w", Path("b.h5")]), (-1, -1)),
    ],
)
def test_open_many(folder, locations, factors):
    expected = np.concatenate([factor * VALUES for factor in factors])
    np.testing.assert_array_equal(biggus.open_many(locations).ndarray(), expected)


def test_open_many_with_partly_named_variables_raises(folder):
    with pytest.raises(ValueError, match="name the variable of each location"):
        biggus.open_many(["a.h5::w", "b.h5::group/v", "a.h5"])


def test_deleted_file_with_a_variable_in_the_location(folder, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.ERROR)
    cache = biggus.Cache(tmp_path / "cache")
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    for name in ("a.h5", "b.h5"):
        biggus.open(f"{name}::w", cache=cache).ndarray()
        (folder / name).unlink()
    np.testing.assert_array_equal(biggus.open("a.h5::w", cache=cache).ndarray(), -VALUES)
    assert biggus.open_many("?.h5::w", cache=cache).shape == (4, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://host/a.zarr::v", ("http://host/a.zarr", "v")),
        ("http://[fe80::1]/a.zarr", ("http://[fe80::1]/a.zarr", "")),
        ("http://[fe80::1]/a.zarr::v", ("http://[fe80::1]/a.zarr", "v")),
        ("http://host/{z}/{x}/{y}.png?layers=a::b",) * 2,
        ("simplecache::s3://bucket/a.zarr",) * 2,
        ("zip://::/data/a.zip",) * 2,
        ("reference://::/data/a.json::g/v", ("reference://::/data/a.json", "g/v")),
        ("simplecache::s3://bucket/a.zarr::v", ("simplecache::s3://bucket/a.zarr", "v")),
    ],
)
def test_remote_locations_are_split(text, expected):
    expected = (expected, "") if isinstance(expected, str) else expected
    assert split_location(text) == place_and_variable(text) == expected


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["info", "a.h5::w"], "a.h5  w"),
        (["get", "a.h5::w", "[0]", "-o", "o.npy"], "shape (3,)"),
        (["stats", "?.h5::w"], "w"),
        (["plan", "a.h5::w"], "w"),
        (["save", "a.h5::w", "o.h5"], "o.h5: shape (2, 3)"),
    ],
)
def test_command_line(folder, capsys, arguments, text):
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert text in captured.out
    assert not captured.err


@pytest.mark.parametrize(
    "arguments", [["info", "a.h5::w", "w"], ["get", "a.h5::w", "w", "-o", "o.npy"]]
)
def test_command_line_refuses_two_names(folder, capsys, arguments):
    assert main(arguments) == 1
    assert "named twice" in capsys.readouterr().err


@pytest.mark.parametrize("group", ["", "inner/"])
def test_only_data_variable_needs_no_name(tmp_path, monkeypatch, group):
    netCDF4 = pytest.importorskip("netCDF4")
    monkeypatch.chdir(tmp_path)
    with netCDF4.Dataset("only.nc", "w") as file:
        place = file.createGroup("inner") if group else file
        for name, n in {"x": 3, "bnds": 2}.items():
            place.createDimension(name, n)
        place.createVariable("x", "f4", ("x",)).bounds = "x_bnds"
        place.createVariable("x_bnds", "f4", ("x", "bnds"))
        place.createVariable("height", "f4", ())
        place.createVariable("area", "f4", ("x",))
        place.createVariable("crs", "i4", ())
        t = place.createVariable("t", "f4", ("x",))
        t.coordinates, t.grid_mapping, t.cell_measures = "height", "crs", "area: area"
    assert biggus.open("only.nc").name == "t"
    assert biggus.open("only.nc", decode=False).name == "t"
    assert biggus.open_many("only*.nc").name == "t"
    with netCDF4.Dataset("only.nc", "a") as file:
        (file[group] if group else file).createVariable("u", "f4", ("x",))
    with pytest.raises(VariableError, match=rf"as in only\.nc::{group}t; it has"):
        biggus.open("only.nc")
