"""Images of small files: what is not opened is as if it had been."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.datasets import images, records

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")
pytest.importorskip("h5py")

import biggus.xarray


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(records, "remembered", type(records.remembered)())
    monkeypatch.setattr(images, "kept", type(images.kept)())
    # What is younger is not known to be unchanged.
    monkeypatch.setattr(biggus.backends.files, "SETTLED_SECONDS", 0.0)


def written(folder, number, more=None):
    path = folder / f"{number}.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.setncattr_string("history", f"made at {number}0:00")
        file.createDimension("time", 2)
        file.createDimension("x", 3)
        time = file.createVariable("time", "i8", ("time",))
        time.setncattr_string("units", f"days since 2001-01-0{1 + 2 * number}")
        time[:] = [0, 1]
        file.createVariable("x", "f8", ("x",))[:] = [1, 2, 4]
        values = file.createVariable("t", "f4", ("time", "x"))
        values.setncattr_string("long_name", "temperature")
        values.setncattr_string("comment", "temperature")
        values.factor = np.float32(0.5)
        values[:] = number + np.arange(6.0).reshape(2, 3)
        if more is not None:
            more(file)
    return path


def opened_by(monkeypatch):
    """Return a list of what netCDF-C opens from now on."""
    found, whole = [], netCDF4.Dataset

    def noted(path, *rest):
        found.append(path)
        return whole(path, *rest)

    monkeypatch.setattr(netCDF4, "Dataset", noted)
    return found


def told(path):
    record = records.record_at(path, records_opening(), "")
    group = record.group()
    large = group.variables.keys() - group.values.keys()
    arrays = {name: group.variables[name].ndarray().tolist() for name in sorted(large)}
    attributes = {name: dict(array.attrs) for name, array in group.variables.items()}
    values = {name: each.tolist() for name, each in group.values.items()}
    return group.attributes, group.dims, arrays, attributes, values


def records_opening():
    from biggus.datasets.group import Opening

    return Opening(None, False, False, {})


def right_of(path):
    """Return what is told of a file that is like no other."""
    records.remembered.clear()
    images.kept.clear()
    return told(path)


def test_what_is_like_another_is_not_opened(tmp_path, monkeypatch):
    paths = [written(tmp_path, number) for number in range(4)]
    right = [right_of(path) for path in paths]
    images.kept.clear()
    records.remembered.clear()
    opened = opened_by(monkeypatch)
    assert [told(path) for path in paths] == right
    assert opened == [str(paths[0])]
    assert [each[3]["time"]["units"][-1] for each in right] == ["1", "3", "5", "7"]
    assert right[2][0]["history"] == "made at 20:00"


def test_they_are_joined_as_by_xarray(tmp_path):
    paths = [written(tmp_path, number) for number in range(4)]
    parts = [xr.open_dataset(path, engine="netcdf4").load() for path in paths]
    right = xr.combine_nested(parts, "time", combine_attrs="override", data_vars="minimal")
    xr.testing.assert_identical(biggus.xarray.open(paths, concat_dim="time").load(), right)


UNLIKE = {
    "a number": lambda file: file.variables["t"].setncattr("factor", np.float32(0.25)),
    "a text that occurs twice": lambda file: file.variables["t"].setncattr_string(
        "comment", "temperaturE"
    ),
    "a longer text": lambda file: file.setncattr_string("history", "made at midnight, or so"),
    "a name": lambda file: file.renameVariable("t", "u"),
    "the name of an axis": lambda file: file.renameDimension("x", "y"),
    "a group": lambda file: file.createGroup("g").createVariable("t", "f4", ()),
}


@pytest.mark.parametrize("unlike", UNLIKE)
def test_what_is_not_is_opened(tmp_path, monkeypatch, unlike):
    paths = [written(tmp_path, 0), written(tmp_path, 1, UNLIKE[unlike]), written(tmp_path, 2)]
    right = [right_of(path) for path in paths]
    images.kept.clear()
    records.remembered.clear()
    opened = opened_by(monkeypatch)
    assert [told(path) for path in paths] == right
    assert opened[:2] == [str(path) for path in paths[:2]]


def test_what_changes_meanwhile_is_opened(tmp_path, monkeypatch):
    first, path = written(tmp_path, 0), written(tmp_path, 1)
    told(first)
    found = images.record_like

    def changing(key, stored):
        record = found(key, stored)
        assert record is not None
        written(tmp_path, 1, UNLIKE["a number"])
        return record

    monkeypatch.setattr(images, "record_like", changing)
    after = told(path)
    monkeypatch.undo()
    assert after[3]["t"]["factor"] == 0.25
