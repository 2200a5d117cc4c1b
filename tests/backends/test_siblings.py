"""Siblings: coordinates of a variable are found in its group and the groups around it."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.backends import Location, backend_for
from biggus.sources.base import whole
from biggus.sources.wrappers import Annotated


def open_source(path, variable):
    return backend_for(Location(path)).open(Location(path), variable)


def make_netcdf(path):
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("y", 3)
        dataset.createVariable("y", "f8", ("y",))[:] = [1, 2, 3]
        group = dataset.createGroup("g")
        group.createVariable("v", "f8", ("y",))[:] = 0
        group.createVariable("beside", "f8", ("y",))[:] = [7, 8, 9]


def make_hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["y"] = [1.0, 2, 3]
        file["g/v"] = np.zeros(3)
        file["g/beside"] = [7.0, 8, 9]


def make_zarr(path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w")
    for name, values in (("y", [1.0, 2, 3]), ("g/v", np.zeros(3)), ("g/beside", [7.0, 8, 9])):
        group.create_array(name, data=np.asarray(values))


@pytest.mark.parametrize(
    ("make", "name"), [(make_netcdf, "a.nc"), (make_hdf5, "a.h5"), (make_zarr, "a.zarr")]
)
def test_siblings_in_the_same_and_the_parent_group(tmp_path, make, name) -> None:
    make(tmp_path / name)
    source = open_source(tmp_path / name, "g/v")
    for wrapped in (source, Annotated(source, chunks=(2,))):
        assert wrapped.sibling("y")[whole((3,))].tolist() == [1, 2, 3]
        assert wrapped.sibling("beside")[whole((3,))].tolist() == [7, 8, 9]
        assert wrapped.sibling("/g/beside")[whole((3,))].tolist() == [7, 8, 9]
        assert wrapped.sibling("nothing") is None
        assert wrapped.sibling("/y/v") is None


def test_sibling_of_a_cached_source_is_cached(tmp_path, settled_soon_after_writing) -> None:
    make_hdf5(tmp_path / "a.h5")
    cache = biggus.Cache(tmp_path / "cache")
    found = cache.wrap(open_source(tmp_path / "a.h5", "g/v")).sibling("y")
    assert found.cache is cache
    assert found[whole((3,))].tolist() == [1, 2, 3]


def test_sources_in_memory_have_no_siblings() -> None:
    zarr = pytest.importorskip("zarr")
    assert biggus.ArrayAdapter(np.zeros(3)).node.source.sibling("y") is None
    held = biggus.ArrayAdapter(zarr.array(np.zeros(3)))
    assert held.node.source.sibling("y") is None
