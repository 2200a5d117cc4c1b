"""`.npy` files: values match `np.load`, files are not kept open, and reads are minimal."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy_keys import advanced_keys

import biggus
from biggus.backends import Location, backend_for, backend_named, files
from biggus.backends.descriptor import Descriptor
from biggus.errors import GoneError, SourceError, VariableError
from biggus.sources.base import read, whole
from biggus.testing import assert_same, sample_values

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


DTYPES = [
    *("?", "i1", "u1", ">i2", "u4", "i8", ">u8", "f2", ">f2", "f4", ">f8", "g", "c8", ">c16", "G"),
    *("M8[ns]", ">M8[D]", "M8[25s]", "M8", "m8[h]", "m8", "S1", "S5", "U1", ">U3", "V1", "V7"),
    "i4,>f8,S3",
    [("x", ">i2", (2, 3)), ("y", [("deep", "c8"), ("text", "U2")])],
    np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [3, 8], "itemsize": 24}),
    np.dtype("i1,f8", align=True),
    np.dtype([(("a title", "name"), "f4"), ("other", "i1")]),
]
SHAPES = [(), (1,), (7,), (3, 4), (1, 5), (2, 3, 4), (0,), (3, 0, 2), (1, 1)]
VALUES = np.arange(60.0).reshape(6, 10)


@pytest.fixture(autouse=True)
def chdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_values(shape, dtype, order="C"):
    values = np.empty(shape, dtype, order)
    values[...] = np.asarray(sample_values(shape, dtype, seed=3))
    return values


def write_npy(values, version=None, path="a.npy"):
    with Path(path).open("wb") as file:
        np.lib.format.write_array(file, values, version, allow_pickle=False)


@pytest.mark.in_pairs
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_and_shape(dtype, shape, order):
    write_npy(make_values(shape, dtype, order))
    expected = np.load("a.npy")
    array = biggus.open("a.npy")
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert not array.masked
    got = array.ndarray()
    assert got.dtype.fields == expected.dtype.fields
    assert_same(got, expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", "CF")
def test_every_version_of_the_format(version, order):
    write_npy(np.asarray(VALUES, order=order), version)
    assert_same(biggus.open("a.npy")[1:, ::3].ndarray(), VALUES[1:, ::3])


@pytest.mark.parametrize(
    "names", [("é", "ÿ"), ("氷", "b"), ("\\é", "'氷\""), ("\\\\", "\n\t\u2028")]
)
@pytest.mark.filterwarnings("ignore:Stored array in format:UserWarning")
def test_field_names_in_any_script(names):
    values = make_values((5,), list(zip(names, ("i4", "f8"), strict=True)))
    write_npy(values)
    biggus.save(values, "b.npy")
    assert_same(np.load("b.npy"), values)
    for path in ("a.npy", "b.npy"):
        assert biggus.open(path).dtype.names == names
        assert_same(biggus.open(path).ndarray(), values)


@pytest.mark.filterwarnings("ignore:Stored array in format:UserWarning")
def test_thousands_of_fields():
    dtype = np.dtype([(f"field {number}", "f4") for number in range(3000)])
    values = make_values((3,), dtype)
    write_npy(values)
    with pytest.raises(ValueError, match="max_header_size"):
        np.load("a.npy")
    assert_same(biggus.open("a.npy").ndarray(), values)
    biggus.save(values, "b.npy")
    assert_same(biggus.open("b.npy").ndarray(), values)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", [(7,), (5, 6), (3, 4, 5)])
def test_keys_of_any_kind(shape, order):
    values = make_values(shape, "f8", order)
    write_npy(values)
    array = biggus.open("a.npy")

    @hypothesis.settings(deadline=None, database=None)
    @hypothesis.given(advanced_keys(shape, invalid=False))
    def check(key):
        assert_same(array[key].ndarray(), np.asarray(values[key]))

    check()


def test_data_after_the_array_is_ignored():
    with Path("a.npy").open("wb") as file:
        np.save(file, VALUES)
        np.save(file, VALUES + 1)
    assert_same(biggus.open("a.npy").ndarray(), VALUES)


def test_claims_by_content():
    write_npy(VALUES, path="anything")
    assert backend_for(Location("anything")).name == "npy"
    assert_same(biggus.open("anything").ndarray(), VALUES)
    assert_same(biggus.open("anything::values").ndarray(), VALUES)
    with pytest.raises(VariableError, match=r"'other'.*values"):
        biggus.open("anything", "other")


# --- what changes -----------------------------------------------------------------------------


def test_replaced_file():
    write_npy(VALUES)
    array = biggus.open("a.npy")
    write_npy(VALUES + 1, (2, 0), "new.npy")
    Path("new.npy").replace("a.npy")
    assert_same(array.ndarray(), VALUES + 1)
    for other in (VALUES.T, VALUES.astype("f4"), VALUES.astype(">f8"), VALUES[:3]):
        write_npy(np.ascontiguousarray(other))
        with pytest.raises(SourceError, match=r"it has changed.*open it again"):
            array[0].ndarray()
    write_npy(np.asfortranarray(VALUES))
    assert_same(array.ndarray(), VALUES)


@pytest.mark.parametrize("method", ["read", "read_into", "stream"])
@pytest.mark.parametrize("order", "CF")
def test_file_that_changes_during_a_read_raises(method, order, monkeypatch):
    write_npy(np.asarray(VALUES, order=order))
    source = backend_named("npy").open(Location("a.npy"), "values")
    box, out = whole(source.shape), np.empty(source.shape)
    read_into = Descriptor.read_into

    def read_and_append(self, out, offset):
        read_into(self, out, offset)
        with Path("a.npy").open("ab") as file:
            file.write(b"more")

    stream = source.stream(box)
    assert (stream is None) == (order == "F")
    monkeypatch.setattr(Descriptor, "read_into", read_and_append)
    flowing = method == "stream" and stream is not None
    reader, into = (stream, (0, out.reshape(-1))) if flowing else (source, (box, out))
    with pytest.raises(SourceError, match="changed during the read"):
        read(source, box) if method == "read" else reader.read_into(*into)


def test_no_file_is_left_open():
    write_npy(VALUES)
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the system does not list open files")

    def open_files():
        found = [link.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists()]
        return [path for path in found if path.parent == Path.cwd()]

    array = biggus.open("a.npy")
    assert open_files() == []
    array.ndarray(), array.mean().ndarray(), array[[1, 5], [2, 0]].ndarray()
    assert open_files() == []
    Path("a.npy").unlink()
    with pytest.raises(SourceError, match="no such file"):
        array.ndarray()
    assert open_files() == []


def test_pickles_by_path():
    write_npy(np.zeros((100, 100)))
    source = backend_named("npy").open(Location("a.npy"), "values")
    assert len(pickle.dumps(source)) < 1000
    assert_same(read(pickle.loads(pickle.dumps(source)), whole((100, 100))), np.zeros((100, 100)))


# --- how much is read -------------------------------------------------------------------------


def test_reads_only_the_selected_values(fetched):
    values = np.arange(4e6).reshape(1000, 4000)
    write_npy(values)
    array = biggus.open("a.npy")
    assert sum(fetched) <= 256
    fetched.clear()
    assert_same(array[10:12].ndarray(), values[10:12])
    assert fetched == [2 * 32000]
    fetched.clear()
    assert_same(array[[5, 900], [7, 3]].ndarray(), values[[5, 900], [7, 3]])
    assert sum(fetched) <= 2**15


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("order", "CF")
def test_reductions_read_the_file_once_in_large_parts(order, axis, fetched):
    values = np.asarray(np.arange(2e6).reshape(1000, 2000), order=order)
    write_npy(values)
    array = biggus.open("a.npy")
    fetched.clear()
    with biggus.set_options(workers=1):
        got = array.mean(axis=axis).ndarray()
    np.testing.assert_allclose(got, values.mean(axis=axis))
    assert sum(fetched) == values.nbytes
    assert len(fetched) <= 100


# --- the cache, joining, the command line -----------------------------------------------------


@pytest.fixture
def cache(monkeypatch):
    monkeypatch.setattr(files, "SETTLED_SECONDS", -1.0)
    with biggus.Cache("cache") as make_values:
        yield make_values


@pytest.mark.parametrize("dtype", [">f8", "M8[25s]", "i4,>f8,S3", "U3"])
def test_deleted_file_is_read_from_the_cache(dtype, cache):
    values = make_values((4, 5), dtype, "F")
    write_npy(values)
    biggus.open("a.npy", cache=cache).ndarray()
    Path("a.npy").unlink()
    for method in ({}, {"variable": "values"}, {"backend": "npy"}):
        assert_same(biggus.open("a.npy", cache=cache, **method).ndarray(), values)
    with pytest.raises(GoneError):
        biggus.open("a.npy", "other", cache=cache)


def test_cache_notices_changes(cache):
    write_npy(VALUES)
    assert_same(biggus.open("a.npy", cache=cache).ndarray(), VALUES)
    write_npy(VALUES * 2)
    assert_same(biggus.open("a.npy", cache=cache).ndarray(), VALUES * 2)


def test_open_many():
    for number in range(3):
        write_npy(VALUES + number, path=f"{number}.npy")
    joined = biggus.open_many("*.npy")
    expected = np.concatenate([VALUES, VALUES + 1, VALUES + 2])
    assert_same(joined.ndarray(), expected)
    assert joined.mean().ndarray() == expected.mean()


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "biggus", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.machine
def test_command_line():
    pytest.importorskip("h5py")
    write_npy(VALUES)
    code, output = run("info", "a.npy")
    assert code == 0
    assert "values" in output
    assert "float64" in output
    code, output = run("get", "a.npy", "[2:4, ::-1]", "-o", "b.npy")
    assert code == 0, output
    assert_same(np.load("b.npy"), VALUES[2:4, ::-1])
    code, output = run("stats", "a.npy")
    assert code == 0, output
    assert "29.5" in output
    code, output = run("save", "a.npy", "c.h5::v")
    assert code == 0, output
    assert_same(biggus.open("c.h5").ndarray(), VALUES)
    np.save("o.npy", np.array([{}], object), allow_pickle=True)
    code, output = run("info", "o.npy")
    assert code == 1
    assert "pickle" in output


@pytest.mark.parametrize("dtype", ["f2", "f8", ">c16", "M8[s]", "m8[25h]"])
def test_missing_values_are_saved_as_nan_or_nat(dtype):
    values = np.ma.MaskedArray(make_values((3, 4), dtype), mask=np.eye(3, 4))
    biggus.save(values, "a.npy")
    got = biggus.open("a.npy").ndarray()
    missing = np.isnat if values.dtype.kind in "mM" else np.isnan
    assert missing(got[np.eye(3, 4) == 1]).all()
    assert_same(got[~values.mask], values.compressed())
