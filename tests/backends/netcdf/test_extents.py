"""NetCDF-4 variables that end before their dimensions do: what is beyond is their fill value."""

from __future__ import annotations

import contextlib
import itertools

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcdf_makers import BACKEND, open_variable
from netcdf_random import FILLS, NUMBERS, OTHERS, File, Variable, write

import biggus
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import behind
from biggus.backends.netcdf import files as netcdf_files
from biggus.backends.netcdf.extents import Unsure
from biggus.errors import MissingDependencyError
from biggus.sources.base import box_shape, read, whole
from biggus.testing.values import boxes

WAYS = ["stored", "unknown", "held"]


@pytest.fixture(params=WAYS)
def opener(request, monkeypatch):
    """Return what opens a variable as it is packed: by path, without h5py, or held by the user."""
    way = request.param
    # Two handles of a file with ragged rows or strings crash the library when one is closed.
    netcdf_files.datasets.clear()
    if way == "stored":
        pytest.importorskip("h5py")
    if way == "unknown":

        def missing(*_):
            raise MissingDependencyError("h5py", "hdf5", "reading HDF5 files")

        monkeypatch.setattr(behind, "open_file", missing)
    held = {}
    with contextlib.ExitStack() as stack:

        def of(path, name):
            if way in ("stored", "unknown"):
                return open_variable(path, name, decode=False)
            if path not in held:
                dataset = netCDF4.Dataset(path, "a")
                held[path] = stack.enter_context(dataset)
                dataset.set_auto_maskandscale(False)
                dataset.set_auto_chartostring(False)
            return BACKEND.adopt(held[path][name])

        yield of
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
def test_every_type_and_extent(tmp_path, opener, kind):
    dims, unlimited = {"x": 2, "t": 3}, {"x", "t"}
    fills = [None, 7 if kind in NUMBERS else True] if kind in (*NUMBERS, *FILLS) else [None]
    variables = {
        f"v{a}{b}_{number}": Variable(kind, ("x", "t"), (2, 3), (a, b), "", 10 * a + b, fill)
        for a in range(3)
        for b in range(4)
        for number, fill in enumerate(fills)
        # In pairs: each extent along either axis with each type, and with one another with some.
        if (a + b + number + KINDS.index(kind)) % 3 == 0
    }
    path = write(tmp_path / "a.nc", File(dims, unlimited, variables))
    for name, variable in variables.items():
        values, source = variable.values(), opener(path, name)
        assert_same(read(source, whole((2, 3))), values)
        box = np.s_[0:2:1, 1:3:1]
        assert_same(read(source, box), values[box])


@pytest.mark.in_pairs
@pytest.mark.parametrize("kind", ["i2", "str", "ragged", "compound"])
@pytest.mark.parametrize("unlimited", ["t", "xz", "xtz"])
def test_every_box(tmp_path, opener, kind, unlimited):
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
        values, source = variable.values(), opener(path, f"g/{name}")
        for box in list(every_box(shape))[:: 29 if kind == "i2" else 97]:
            assert_same(read(source, box), values[box])


@pytest.mark.parametrize("last", [-127, -128, 5])
def test_values_that_look_like_fill_values(tmp_path, opener, last):
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
    source = opener(path, "c")
    for box in every_box((2, 4)):
        np.testing.assert_array_equal(read(source, box), expected[box])


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_records_of_the_classic_model(tmp_path, opener, steps):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF4_CLASSIC") as dataset:
        dataset.createDimension("t", None)
        dataset.createDimension("x", 2000)
        for name, n in (("v", 51), ("long", 100)):
            variable = dataset.createVariable(name, "i4", ("t", "x"), fill_value=-1)
            variable[:n] = np.arange(n * 2000).reshape(n, 2000)
    expected = np.full((100, 2000), -1, "i4")
    expected[:51] = np.arange(51 * 2000).reshape(51, 2000)
    source = opener(path, "v")
    for box in (np.s_[0:100:steps, 0:2000:1], np.s_[3:99:steps, 5:1999:steps]):
        np.testing.assert_array_equal(read(source, box), expected[box])


def test_no_more_memory_than_it_says(tmp_path):
    """Of what lies beyond the end nothing but the result is taken."""
    pytest.importorskip("h5py")
    variable = Variable("i4", ("x", "t"), (4, 5), (4, 2), "", 1, storage={"chunksizes": (2, 5)})
    path = write(tmp_path / "a.nc", File({"x": 4, "t": 5}, {"t"}, {"v": variable}))
    source = open_variable(path)
    assert source.peak_bytes(np.s_[0:4:1, 2:5:1]) == 4 * 3 * 4
    stored = source.storage.stored.peak_bytes(np.s_[0:4:1, 0:2:1])
    assert source.peak_bytes(np.s_[0:4:1, 0:5:1]) == stored + 4 * 3 * 4


@pytest.mark.parametrize("kind", ["str", "ragged"])
@pytest.mark.parametrize("steps", [(1, 50), (7, 6), (40, 1), (3, 5)])
def test_strings_and_ragged_rows_with_long_strides(tmp_path, opener, kind, steps):
    """Not all libraries read these with strides."""
    variable = Variable(kind, ("x", "t"), (60, 70), (60, 55), "", 3)
    path = write(tmp_path / "a.nc", File({"x": 60, "t": 70}, {"t"}, {"v": variable}))
    values, source = variable.values(), opener(path, "v")
    box = (slice(2, 60, steps[0]), slice(1, 70, steps[1]))
    assert_same(read(source, box), values[box])


def test_masked_where_nothing_is(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 2)
        dataset.createDimension("t", None)
        dataset.createVariable("c", "f8", ("x", "t"))[:, 0] = [1, 2]
        dataset.createVariable("t", "f8", ("t",))[:] = [0, 1]
        right = [[1, None], [2, None]]
        with hdf5_lock:
            assert biggus.ArrayAdapter(dataset["c"]).masked_array().tolist() == right
    assert biggus.open(path, "c").masked_array().tolist() == right
    assert biggus.open(path, "c")[::-1, 1:].masked_array().tolist() == [[None], [None]]
    assert biggus.open(path, "c").mean().ndarray() == 1.5
    with netCDF4.Dataset(path) as dataset:
        assert biggus.ArrayAdapter(dataset["c"]).masked_array().tolist() == right


def test_one_that_grows_while_it_is_held(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("x", 3)
        dataset.createDimension("t", None)
        variable = dataset.createVariable("c", "i4", ("x", "t"), fill_value=-1)
        dataset.createVariable("t", "i1", ("t",))[:] = np.zeros(5)
        dataset.sync()
        source, opened = BACKEND.adopt(variable), open_variable(tmp_path / "a.nc", "c")
        expected = np.full((3, 5), -1, "i4")
        for n in range(5):
            with hdf5_lock:
                for one in (source, opened):
                    np.testing.assert_array_equal(read(one, whole((3, 5))), expected)
                    np.testing.assert_array_equal(read(one, np.s_[0:3:2, 0:5:1]), expected[::2])
                variable[:, n] = expected[:, n] = [n, -1, 10 * n]
        dataset["t"][5] = 0
        with hdf5_lock:
            np.testing.assert_array_equal(read(source, whole((3, 5))), expected)
            assert BACKEND.adopt(variable).shape == (3, 6)


def test_one_that_grew_in_the_file_since_it_was_opened(tmp_path):
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


def test_strings_of_characters_whose_length_is_unlimited(tmp_path, opener):
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
    del strings  # which keeps the file from being written to
    letters = expected.view("U1").reshape(3, 5).astype("S1")
    np.testing.assert_array_equal(read(opener(path, "c"), whole((3, 5))), letters)


def test_a_file_that_h5py_wrote(tmp_path):
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
    """Gives what the netCDF library gives of a variable that ends at `extent`, 4.9.2 or later."""

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
                there = n - s.start
                lacking = count[axis] - (-(-there // s.step) if self.ceils else there // s.step)
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
def test_whatever_the_library_makes_of_it(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    unlimited = sorted(data.draw(st.sets(st.sampled_from(range(len(shape))), min_size=1)))
    extent = tuple(
        data.draw(st.integers(0, n)) if axis in unlimited else n for axis, n in enumerate(shape)
    )
    values = np.full(shape, Library.FILL, "i4")
    inside = tuple(slice(0, n) for n in extent)
    numbers = np.arange(values[inside].size).reshape(extent)
    # Fill values lie among the others too.
    values[inside] = np.where(numbers % data.draw(st.integers(1, 5)) == 0, Library.FILL, numbers)
    library = Library(values, extent, unlimited, data.draw(st.booleans()))
    # Structures are not compared.
    dtype = np.dtype(data.draw(st.sampled_from(["i4", [("n", "i4")]])))
    values, variable = values.view(dtype), Unsure(library, unlimited, dtype)
    library.values = values
    box = data.draw(boxes(shape))
    np.testing.assert_array_equal(variable[box], values[box])


def test_what_is_full_is_read_at_once():
    values = np.arange(600, dtype="i4").reshape(20, 30)
    library = Library(values, (20, 30), [1], True)
    variable = Unsure(library, [1], np.dtype("i4"))
    for number in range(2):
        np.testing.assert_array_equal(variable[whole((20, 30))], values)
        # The last value, those beside it, and all.
        assert [np.prod(box_shape(box)) for box in library.reads] == [1, 20, 600]
        values[number, 3] = Library.FILL
        library.reads.clear()


def test_how_often_it_is_asked_for_what_ends():
    values = np.full((20, 1000), Library.FILL, "i4")
    values[:, :300] = np.arange(6000).reshape(20, 300)
    library = Library(values, (20, 300), [1], True)
    variable = Unsure(library, [1], np.dtype("i4"))
    np.testing.assert_array_equal(variable[whole((20, 1000))], values)
    assert len(library.reads) < 2 * np.log2(1000) + 3
    assert sum(np.prod(box_shape(box)) for box in library.reads) < 3 * values.size
