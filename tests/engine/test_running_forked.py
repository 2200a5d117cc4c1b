"""Forked workers keep no state of the evaluation in which they started."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import biggus

if "fork" not in multiprocessing.get_all_start_methods():
    pytest.skip("no fork on this platform", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

DATA = np.arange(6000.0).reshape(20, 300)


@pytest.fixture
def workers():
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        yield pool


def write_npy(path, data):
    values = np.lib.format.open_memmap(path, "w+", data.dtype, data.shape)
    values[...] = data
    values.flush()


def write_hdf5(path, data):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "a") as file:
        file.require_dataset("v", data.shape, data.dtype, chunks=(5, 300))[...] = data


def write_netcdf(path, data):
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(path, "a") as file:
        if not file.variables:
            for name, n in zip("yx", data.shape, strict=True):
                file.createDimension(name, n)
            file.createVariable("v", data.dtype, ("y", "x"), chunksizes=(5, 300))
        file["v"][:] = data


WRITERS = {".npy": write_npy, ".h5": write_hdf5, ".nc": write_netcdf}


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_may_be_rewritten_between_evaluations(tmp_path, workers, suffix):
    path = tmp_path / f"a{suffix}"
    for data in (DATA, -2 * DATA, DATA + 7):
        WRITERS[suffix](path, data)  # the workers keep no lock on the file
        lazy = biggus.open(path)
        with biggus.set_options(executor=workers):
            found = lazy.std(axis=0).ndarray()
        np.testing.assert_allclose(found, data.std(axis=0))
        del lazy


@pytest.mark.parametrize("suffix", [".h5", ".nc"])
def test_results_may_be_opened_while_workers_live(tmp_path, workers, suffix):
    WRITERS[suffix](tmp_path / "warm", DATA)  # skips if the library is not installed
    path = tmp_path / f"out{suffix}"
    source = tmp_path / "a.npy"
    write_npy(source, DATA)
    with biggus.set_options(executor=workers):
        biggus.save(biggus.open(source) * 2.0, f"{path}::v")
    assert np.array_equal(biggus.open(path, "v")[3].ndarray(), DATA[3] * 2)
    WRITERS[suffix](tmp_path / "warm", -DATA)


def test_deadline_of_the_first_evaluation_ends_with_it(tmp_path, workers):
    write_npy(tmp_path / "a.npy", DATA)
    lazy = biggus.open(tmp_path / "a.npy")
    with biggus.set_options(executor=workers, deadline=30):
        lazy.mean(axis=0).ndarray()
    left = workers.submit(_seconds_left).result()
    assert left is None


def _seconds_left():
    from biggus.support import deadlines

    return deadlines.left()
