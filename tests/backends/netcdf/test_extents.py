"""NetCDF-4 variables that are shorter than their dimensions: the rest has the fill value."""

from __future__ import annotations

import contextlib
import itertools
import math

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcdf_makers import BACKEND, open_variable
from netcdf_random import FILLS, NUMBERS, OTHERS, File, Variable, write

import biggus
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files as netcdf_files
from biggus.backends.netcdf import hdf5_datasets
from biggus.backends.netcdf.extents import Unsure
from biggus.errors import MissingDependencyError
from biggus.sources.base import box_shape, read, whole
from biggus.testing.strategies import boxes

OPENERS = ["stored", "unknown", "held"]


@pytest.fixture(params=OPENERS)
def open_packed(request, monkeypatch):
    """Return a function that opens a packed variable: by path, without h5py, or adopted."""
    kind_of_opener = request.param
    # Two handles of a file with ragged rows or strings crash the library when one is closed.
    netcdf_files.datasets.clear()
    if kind_of_opener == "stored":
        pytest.importorskip("h5py")
    if kind_of_opener == "unknown":

        def missing(*_):
            raise MissingDependencyError("h5py", "hdf5", "reading HDF5 files")

        monkeypatch.setattr(hdf5_datasets, "open_file", missing)
    held = {}
    with contextlib.ExitStack() as stack:

        def open_packed_variable(path, name):
            if kind_of_opener in ("stored", "unknown"):
                return open_variable(path, name, decode=False)
            if path not in held:
                dataset = netCDF4.Dataset(path, "a")
                held[path] = stack.enter_context(dataset)
                dataset.set_auto_maskandscale(False)
                dataset.set_auto_chartostring(False)
            return BACKEND.adopt(held[path][name])

        yield open_packed_variable
    netcdf_files.datasets.clear()


def every_box(shape):
    axes = [
        [
            slice(start, stop, step)
            for start in range(n)
            for stop in range(start + 1, n + 1)
            for step in range(1, stop - start + 2)
        ]
        for n in shape
    ]
    return itertools.product(*axes)


def assert_same(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    for one, other in zip(found.flat, expected.flat, strict=True):
        np.testing.assert_array_equal(one, other)


KINDS = [*NUMBERS, *OTHERS]


@pytest.mark.parametrize("kind", KINDS)
def test_every_dtype_and_extent(tmp_path, open_packed, kind):
    dims, unlimited = {"x": 2, "t": 3}, {"x", "t"}
    fills = [None, 7 if kind in NUMBERS else True] if kind in (*NUMBERS, *FILLS) else [None]
    variables = {
        f"v{a}{b}_{number}": Variable(kind, ("x", "t"), (2, 3), (a, b), "", 10 * a + b, fill)
        for a in range(3)
        for b in range(4)
        for number, fill in enumerate(fills)
        # A third of the combinations: each extent of each axis with each kind.
        if (a + b + number + KINDS.index(kind)) % 3 == 0
    }
    path = write(tmp_path / "a.nc", File(dims, unlimited, variables))
    for name, variable in variables.items():
        values, source = variable.values(), open_packed(path, name)
        assert_same(read(source, whole((2, 3))), values)
        box = np.s_[0:2:1, 1:3:1]
        assert_same(read(source, box), values[box])


@pytest.mark.in_pairs
@pytest.mark.parametrize("kind", ["i2", "str", "ragged", "compound"])
@pytest.mark.parametrize("unlimited", ["t", "xz", "xtz"])
def test_every_box(tmp_path, open_packed, kind, unlimited):
    shape = (2, 3, 3)
    ends = [(1, n) if dim in unlimited else (n,) for dim, n in zip("xtz", shape, strict=True)]
    extents = itertools.product(*ends)
    variables = {
        f"v{number}": Variable(kind, tuple("xtz"), shape, extent, "g", number)
        for number, extent in enumerate(extents)
    }
    file = File(dict(zip("xtz", shape, strict=True)), set(unlimited), variables)
    path = write(tmp_path / "a.nc", file)
    for name, variable in variables.items():
        values, source = variable.values(), open_packed(path, f"g/{name}")
        for box in list(every_box(shape))[:: 29 if kind == "i2" else 97]:
            assert_same(read(source, box), values[box])


@pytest.mark.parametrize("last", [-127, -128, 5])
def test_values_equal_to_fill_values(tmp_path, open_packed, last):
    path = tmp_path / "a.nc"
    expected = np.full((2, 4), -128, "i1")
    expected[:, :2] = [[-127, -128], [-128, last]]
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 2)
        dataset.createDimension("t", None)
        variable = dataset.createVariable("c", "i1", ("x", "t"), fill_value=-128)
        variable.set_auto_maskandscale(False)
        variable[:, :2] = expected[:, :2]
        dataset.createVariable("t", "i1", ("t",))[:] = np.zeros(4)
    source = open_packed(path, "c")
    for box in every_box((2, 4)):
        np.testing.assert_array_equal(read(source, box), expected[box])


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_records_of_the_classic_model(tmp_path, open_packed, steps):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF4_CLASSIC") as dataset:
        dataset.createDimension("t", None)
        dataset.createDimension("x", 2000)
        for name, n in (("v", 51), ("long", 100)):
            variable = dataset.createVariable(name, "i4", ("t", "x"), fill_value=-1)
            variable[:n] = np.arange(n * 2000).reshape(n, 2000)
    expected = np.full((100, 2000), -1, "i4")
    expected[:51] = np.arange(51 * 2000).reshape(51, 2000)
    source = open_packed(path, "v")
    for box in (np.s_[0:100:steps, 0:2000:1], np.s_[3:99:steps, 5:1999:steps]):
        np.testing.assert_array_equal(read(source, box), expected[box])


def test_peak_bytes_beyond_the_extent_is_the_result_only(tmp_path):
    """Elements beyond the extent need memory for the result only."""
    pytest.importorskip("h5py")
    variable = Variable("i4", ("x", "t"), (4, 5), (4, 2), "", 1, storage={"chunksizes": (2, 5)})
    path = write(tmp_path / "a.nc", File({"x": 4, "t": 5}, {"t"}, {"v": variable}))
    source = open_variable(path)
    assert source.peak_bytes(np.s_[0:4:1, 2:5:1]) == 4 * 3 * 4
    stored = source.storage.stored.peak_bytes(np.s_[0:4:1, 0:2:1])
    assert source.peak_bytes(np.s_[0:4:1, 0:5:1]) == stored + 4 * 3 * 4


@pytest.mark.parametrize("kind", ["str", "ragged"])
@pytest.mark.parametrize("steps", [(1, 50), (7, 6), (40, 1), (3, 5)])
def test_strings_and_ragged_rows_with_long_strides(tmp_path, open_packed, kind, steps):
    """Not all versions of the library read these with strides."""
    variable = Variable(kind, ("x", "t"), (60, 70), (60, 55), "", 3)
    path = write(tmp_path / "a.nc", File({"x": 60, "t": 70}, {"t"}, {"v": variable}))
    values, source = variable.values(), open_packed(path, "v")
    box = (slice(2, 60, steps[0]), slice(1, 70, steps[1]))
    assert_same(read(source, box), values[box])


def test_values_beyond_the_extent_are_masked(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 2)
        dataset.createDimension("t", None)
        dataset.createVariable("c", "f8", ("x", "t"))[:, 0] = [1, 2]
        dataset.createVariable("t", "f8", ("t",))[:] = [0, 1]
        expected = [[1, None], [2, None]]
        with hdf5_lock:
            assert biggus.ArrayAdapter(dataset["c"]).masked_array().tolist() == expected
    assert biggus.open(path, "c").masked_array().tolist() == expected
    assert biggus.open(path, "c")[::-1, 1:].masked_array().tolist() == [[None], [None]]
    assert biggus.open(path, "c").mean().ndarray() == 1.5
    with netCDF4.Dataset(path) as dataset:
        assert biggus.ArrayAdapter(dataset["c"]).masked_array().tolist() == expected


def test_held_variable_that_grows(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("x", 3)
        dataset.createDimension("t", None)
        variable = dataset.createVariable("c", "i4", ("x", "t"), fill_value=-1)
        dataset.createVariable("t", "i1", ("t",))[:] = np.zeros(5)
        dataset.sync()
        source, by_path = BACKEND.adopt(variable), open_variable(tmp_path / "a.nc", "c")
        expected = np.full((3, 5), -1, "i4")
        for n in range(5):
            with hdf5_lock:
                for one in (source, by_path):
                    np.testing.assert_array_equal(read(one, whole((3, 5))), expected)
                    np.testing.assert_array_equal(read(one, np.s_[0:3:2, 0:5:1]), expected[::2])
                variable[:, n] = expected[:, n] = [n, -1, 10 * n]
        dataset["t"][5] = 0
        with hdf5_lock:
            np.testing.assert_array_equal(read(source, whole((3, 5))), expected)
            assert BACKEND.adopt(variable).shape == (3, 6)


def test_variable_that_grew_after_opening(tmp_path):
    path = tmp_path / "a.nc"
    for n in (1, 3, 2):
        with netCDF4.Dataset(path.with_suffix(".part"), "w") as dataset:
            dataset.createDimension("x", 3)
            dataset.createDimension("t", None)
            variable = dataset.createVariable("c", "i4", ("x", "t"), fill_value=-1)
            variable[:, :n] = np.arange(3 * n).reshape(3, n)
            dataset.createVariable("t", "i1", ("t",))[:] = np.zeros(3)
        path.with_suffix(".part").replace(path)
        if n == 1:
            source = open_variable(path, "c")
        expected = np.full((3, 3), -1, "i4")
        expected[:, :n] = np.arange(3 * n).reshape(3, n)
        np.testing.assert_array_equal(read(source, whole((3, 3))), expected)


def test_characters_with_an_unlimited_string_length(tmp_path, open_packed):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name in ("n", "m"):
            dataset.createDimension(name, None)
        variable = dataset.createVariable("c", "S1", ("n", "m"))
        variable.set_auto_chartostring(False)
        variable[:2, :2] = np.array([list("ab"), list("cd")], "S1")
        variable._Encoding = "ascii"
        dataset.createVariable("n", "i1", ("n",))[:] = np.zeros(3)
        dataset.createVariable("m", "i1", ("m",))[:] = np.zeros(5)
    expected = np.array(["ab", "cd", ""], "U5")
    strings = open_variable(path, "c")
    np.testing.assert_array_equal(read(strings, whole((3,))), expected, strict=True)
    np.testing.assert_array_equal(read(strings, np.s_[0:3:2,]), expected[::2], strict=True)
    del strings  # it keeps the file from being opened for writing
    letters = expected.view("U1").reshape(3, 5).astype("S1")
    np.testing.assert_array_equal(read(open_packed(path, "c"), whole((3, 5))), letters)


def test_file_written_by_h5py(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.nc"
    with hdf5_lock, h5py.File(path, "w", track_order=True) as file:
        for name, n, longest in (("x", 2, 2), ("t", 4, None)):
            file.create_dataset(name, (n,), "f4", maxshape=(longest,))
            file[name].make_scale(name)
        values = file.create_dataset("c", (2, 3), "i2", maxshape=(2, None), fillvalue=-5)
        values[:, :2] = [[1, 2], [3, 4]]
        for axis, name in enumerate("xt"):
            values.dims[axis].attach_scale(file[name])
    source = open_variable(path, "c", decode=False)
    assert read(source, whole((2, 4))).tolist() == [[1, 2, -5, -5], [3, 4, -5, -5]]


class Library:
    """A model of netCDF-C 4.9.2 or later: reads a variable of `values` that ends at `extent`."""

    FILL, GARBAGE = -1, 77

    def __init__(self, values, extent, unlimited, ceils):
        self.values, self.extent, self.unlimited, self.ceils = values, extent, unlimited, ceils
        self.reads = []

    def __getitem__(self, box):
        self.reads.append(box)
        count, missing, nothing = list(box_shape(box)), [], False
        for axis, s in enumerate(box):
            lacking, n = 0, self.extent[axis]
            if axis not in self.unlimited or nothing:
                missing.append(count[axis])
                continue
            if s.start >= n:
                lacking = count[axis]
            elif s.start + s.step * (count[axis] - 1) >= n:
                available = n - s.start
                lacking = count[axis] - (
                    -(-available // s.step) if self.ceils else available // s.step
                )
            missing.append(lacking)
            count[axis] -= lacking
            nothing = nothing or not count[axis]
        flat = np.full(box_shape(box), self.GARBAGE, "i4").ravel().view(self.values.dtype)
        stored = flat[:0]
        if not nothing:
            within = tuple(
                slice(s.start, s.start + s.step * n, s.step)
                for s, n in zip(box, count, strict=True)
            )
            stored = self.values[within].ravel()
            flat[: stored.size] = stored
        if nothing or count != list(box_shape(box)):
            fills = int(np.prod([n or 1 for n in missing]))
            flat[stored.size : stored.size + fills] = np.array([self.FILL], "i4").view(flat.dtype)
        return flat.reshape(box_shape(box))


@settings(max_examples=8 * settings.default.max_examples)
@given(st.data())
def test_random_extents_against_a_model_of_the_library(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    unlimited = sorted(data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1)))
    extent = tuple(
        data.draw(st.integers(0, n)) if axis in unlimited else n for axis, n in enumerate(shape)
    )
    values = np.full(shape, Library.FILL, "i4")
    inside = tuple(slice(0, n) for n in extent)
    numbers = np.arange(values[inside].size).reshape(extent)
    # Some values within the extent equal the fill value.
    values[inside] = np.where(numbers % data.draw(st.integers(1, 5)) == 0, Library.FILL, numbers)
    library = Library(values, extent, unlimited, data.draw(st.booleans()))
    variable = Unsure(library, unlimited, values.dtype)
    box = data.draw(boxes(shape))
    np.testing.assert_array_equal(variable[box], values[box])


@pytest.mark.parametrize(
    ("shape", "unlimited", "box", "reads"),
    [
        ((600, 3, 4), [0], np.s_[0:600:1, 0:3:1, 0:4:1], 1),
        ((600, 3, 4), [0], np.s_[0:600:2, 0:3:1, 0:4:1], 300),
        ((20, 600), [1], np.s_[0:20:1, 0:600:1], 20),
        ((600, 20), [1], np.s_[0:600:1, 0:20:1], 20),
        ((5, 600), [0, 1], np.s_[0:5:1, 0:600:1], 5),
    ],
)
def test_variables_are_read_in_few_parts(shape, unlimited, box, reads):
    values = np.arange(math.prod(shape), dtype="i4").reshape(shape)
    library = Library(values, shape, unlimited, ceils=True)
    variable = Unsure(library, unlimited, np.dtype("i4"))
    np.testing.assert_array_equal(variable[box], values[box])
    assert len(library.reads) == reads
