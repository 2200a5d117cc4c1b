"""NetCDF-4 variables read without the libraries match netCDF4-python byte for byte."""

from __future__ import annotations

import pickle
import threading

import netCDF4
import numpy as np
import pytest
from netcdf_makers import open_variable

from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import hdf5_datasets
from biggus.backends.netcdf import source as sources
from biggus.errors import SourceError
from biggus.sources.base import read, whole

pytest.importorskip("h5py")

FILTERS = {
    "plain": {},
    "zlib": {"zlib": True},
    "shuffle": {"zlib": True, "shuffle": True},
    "no-shuffle": {"zlib": True, "shuffle": False, "fletcher32": True},
    "fletcher": {"fletcher32": True},
    "all": {"zlib": True, "shuffle": True, "fletcher32": True},
    "contiguous": {"contiguous": True},
}
DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "S1"]
SHAPE, CHUNKS = (11, 7), (4, 3)
BOXES = [
    np.s_[0:11:1, 0:7:1],
    np.s_[4:8:1, 3:6:1],
    np.s_[2:11:3, 1:7:2],
    np.s_[10:11:1, 6:7:1],
    np.s_[5:6:1, 0:7:1],
]


def values_of(dtype):
    raw = np.random.default_rng(7).integers(0, 100, SHAPE)
    return raw.astype("u1").view("S1") if dtype == "S1" else raw.astype(dtype)


def refuse(*_):
    raise AssertionError("the library read values")


@pytest.fixture
def fail_on_library_reads(monkeypatch):
    """Fail the test if values are read through netCDF4-python."""
    monkeypatch.setattr(sources, "read_packed", refuse)


def compare(path, name="v", boxes=BOXES):
    """Compare reads with those of netCDF4-python without conversions."""
    source = open_variable(path, name)
    with hdf5_lock, netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        variable = file[name]
        expected = {str(box): np.asarray(variable[box]) for box in boxes}
    for box in boxes:
        found, wanted = read(source, box), expected[str(box)]
        assert found.dtype == wanted.dtype == source.dtype
        assert found.shape == wanted.shape
        assert found.tobytes() == wanted.tobytes()
        assert found.flags.writeable
    return source


def create(file, dtype="f4", dims=("y", "x"), name="v", **options):
    for dim, n in zip(("y", "x"), SHAPE, strict=True):
        if dim not in file.dimensions:
            file.createDimension(dim, n)
    if not options.get("contiguous") and "chunksizes" not in options:
        options["chunksizes"] = CHUNKS
    return file.createVariable(name, dtype, dims, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("filters", ["all", "contiguous"])
def test_dtypes(tmp_path, fail_on_library_reads, filters, dtype):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.set_auto_mask(False)
        create(file, dtype, **FILTERS[filters])[...] = values_of(dtype)
    assert compare(tmp_path / "a.nc").lock is None


@pytest.mark.filterwarnings("ignore:endian-ness of dtype:UserWarning")
@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF4_CLASSIC"])
@pytest.mark.parametrize("filters", FILTERS)
def test_filters(tmp_path, fail_on_library_reads, filters, format, endian):
    with netCDF4.Dataset(tmp_path / "a.nc", "w", format=format) as file:
        create(file, "i4", endian=endian, **FILTERS[filters])[...] = values_of("i4")
    source = compare(tmp_path / "a.nc")
    assert source.lock is None
    assert source.chunks == (None if filters == "contiguous" else CHUNKS)


@pytest.mark.parametrize("fill", [None, -7])
@pytest.mark.parametrize("filters", ["plain", "all"])
def test_values_never_written(tmp_path, fail_on_library_reads, filters, fill):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file, "i4", fill_value=fill, **FILTERS[filters])[5:7, 2:4] = 1
        create(file, "i4", name="none", fill_value=fill, **FILTERS[filters])
    for name in ("v", "none"):
        assert compare(tmp_path / "a.nc", name).lock is None


@pytest.mark.parametrize("filters", ["plain", "all"])
def test_variable_with_fewer_records_than_its_dimension(tmp_path, filters):
    """Records beyond the extent of a variable have its fill value."""
    box = np.s_[0:5:1, 0:7:1]
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("t", None)
        for name, records in (("long", 5), ("short", 3)):
            variable = create(
                file, "i2", ("t", "x"), name, chunksizes=(2, 4), fill_value=-1, **FILTERS[filters]
            )
            variable[:records] = np.arange(7 * records).reshape(records, 7)
    assert compare(tmp_path / "a.nc", "long", [box]).lock is None
    assert compare(tmp_path / "a.nc", "short", [box]).lock is None
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file["short"][3:5] = 9
    assert compare(tmp_path / "a.nc", "short", [box]).lock is None


def test_records_added_after_opening(tmp_path):
    path, box = tmp_path / "a.nc", np.s_[0:3:1, 0:7:1]
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("t", None)
        create(file, "i2", ("t", "x"), chunksizes=(2, 4))[:3] = np.arange(21).reshape(3, 7)
    source = open_variable(path)
    copy = pickle.loads(pickle.dumps(source))
    assert source.lock is copy.lock is None
    before = read(source, box)
    del source
    with netCDF4.Dataset(path, "a") as file:
        file["v"][3] = 5
    for _ in range(2):
        np.testing.assert_array_equal(read(copy, box), before)
        assert copy.lock is None


def test_variables_in_groups_and_named_like_dimensions(tmp_path, fail_on_library_reads):
    values = values_of("f4")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file)[...] = values
        # Named like dimensions, but not coordinate variables.
        create(file, name="x")[...] = values + 1
        group = file.createGroup("g/h")
        create(group, dims=("y", "x"))[...] = values + 2
        create(group, name="y")[...] = values + 3
        file.createVariable("y", "f8", ("y",))[...] = np.arange(11)
    for number, name in enumerate(["v", "x", "g/h/v", "g/h/y"]):
        source = compare(tmp_path / "a.nc", name)
        assert source.lock is None
        assert read(source, whole(SHAPE))[0, 0] == values[0, 0] + number
    assert compare(tmp_path / "a.nc", "y", [(slice(0, 11, 1),)]).lock is None


def test_variables_read_by_the_library(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file)  # creates the dimensions
        file.createVariable("text", str, ("x",))[...] = np.array(list("abcdefg"), object)
        kind = file.createEnumType("i1", "kind", {"a": 0, "b": 1})
        file.createVariable("enum", kind, ("x",))[...] = np.arange(7) % 2
        pair = file.createCompoundType(np.dtype([("a", "i4"), ("b", "f8")]), "pair_t")
        file.createVariable("pair", pair, ("x",))[...] = np.zeros(7, pair.dtype)
        file.createVariable("scalar", "f8", ())[...] = 3
        chars = file.createVariable("chars", "S1", ("y", "x"))
        chars._Encoding = "ascii"
        chars[...] = np.array(["abcdefg"] * 11, "S7")
    for name in ("text", "enum", "pair", "scalar", "chars"):
        source = open_variable(tmp_path / "a.nc", name)
        assert source.lock is hdf5_lock
        assert read(source, whole(source.shape)).shape == source.shape
    with netCDF4.Dataset(tmp_path / "b.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("x", 3)
        file.createVariable("v", "f4", ("x",))[...] = 1
    assert open_variable(tmp_path / "b.nc").lock is hdf5_lock


def test_ambiguous_names_are_read_by_the_library(tmp_path):
    """A file with two datasets that map to the same variable name."""
    import h5py

    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file, "i4")[...] = values_of("i4")
    with h5py.File(tmp_path / "a.nc", "a") as file:
        file["_nc4_non_coord_v"] = np.zeros(SHAPE, "i4")
    try:
        source = open_variable(tmp_path / "a.nc")
    except Exception:
        pytest.skip("netCDF4-python does not open such a file")
    assert source.lock is hdf5_lock


@pytest.mark.parametrize("locking", [None, "FALSE"])
def test_writes_through_a_handle_of_this_process_are_seen(tmp_path, monkeypatch, locking):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        create(file, "i4")
    if locking:
        monkeypatch.setenv("HDF5_USE_FILE_LOCKING", locking)
    with netCDF4.Dataset(path, "a") as file:
        file["v"][...] = 5
        source = open_variable(path)
        with hdf5_lock:
            assert source.lock is hdf5_lock
            assert (read(source, whole(SHAPE)) == 5).all()
            file["v"][...] = 6
            assert (read(source, whole(SHAPE)) == 6).all()


def test_without_h5py_the_library_reads(tmp_path, monkeypatch):
    from biggus.errors import MissingDependencyError

    def missing(*_):
        raise MissingDependencyError("h5py", "hdf5", "reading HDF5 files")

    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file, "i4")[...] = values_of("i4")
    monkeypatch.setattr(hdf5_datasets, "open_file", missing)
    assert compare(tmp_path / "a.nc").lock is hdf5_lock


def test_damaged_chunk_raises(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file, "i4", fletcher32=True)[...] = values_of("i4")
    source = open_variable(tmp_path / "a.nc")
    copy = pickle.loads(pickle.dumps(source))
    del source
    stored = values_of("i4")[:4, :3].tobytes()
    data = (tmp_path / "a.nc").read_bytes()
    assert data.count(stored) == 1
    (tmp_path / "a.nc").write_bytes(data.replace(stored, stored[:-1] + b"\x7f"))
    for one in (copy, open_variable(tmp_path / "a.nc")):
        with pytest.raises(SourceError):
            read(one, whole(SHAPE))


def test_concurrent_reads(tmp_path):
    values = np.random.default_rng(0).integers(0, 9, (60, 80), "i4")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("a", 60)
        file.createDimension("b", 80)
        file.createVariable("v", "i4", ("a", "b"), zlib=True, chunksizes=(7, 9))[...] = values
    source, wrong = open_variable(tmp_path / "a.nc"), []

    def run(first):
        for start in range(first, 50, 4):
            box = (slice(start, start + 10, 1), slice(first, 80, 3))
            if not np.array_equal(read(source, box), values[box]):
                wrong.append(box)

    threads = [threading.Thread(target=run, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


LARGE = {"plain": {}, "zlib": {"zlib": True}}


@pytest.fixture
def lookups(monkeypatch):
    """Return a list that grows with each lookup of the storage of a variable."""
    from biggus.backends.netcdf import stored

    found, plain = [], stored.behind
    monkeypatch.setattr(stored, "behind", lambda *args: found.append(args) or plain(*args))
    return found


def test_metadata_needs_no_lookup_by_h5py(tmp_path, lookups):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("t", None)
        file.createDimension("more", None)
        create(file)[...] = values_of("f4")
        create(file, "i2", ("t", "x"), "long", chunksizes=(2, 4))[:5] = 1
        create(file, "i2", ("t", "x"), "short", chunksizes=(2, 4))[:3] = 1
        create(file, "i2", ("more", "t"), "corner", chunksizes=(2, 4))[:2, :2] = 1
    for name in ("v", "long", "short", "corner"):
        lookups.clear()
        source = open_variable(tmp_path / "a.nc", name)
        copy = pickle.loads(pickle.dumps(source))
        for attribute in ("shape", "dtype", "dims", "attributes", "chunks"):
            getattr(source, attribute)
        assert not lookups
        assert source.lock is None
        source.peak_bytes(whole(source.shape))
        read(source, whole(source.shape))
        assert len(lookups) == 1
        read(copy, whole(copy.shape))
        assert len(lookups) == 2


@pytest.mark.parametrize("filters", LARGE)
def test_large_chunks_are_looked_up_on_first_access_to_chunks(tmp_path, lookups, filters):
    from biggus.backends.plain import LARGEST

    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("y", 8)
        file.createDimension("x", LARGEST)
        chunks = (2, LARGEST)
        file.createVariable("v", "i1", ("y", "x"), chunksizes=chunks, **LARGE[filters])
    source = open_variable(tmp_path / "a.nc")
    assert not lookups
    assert (source.chunks == chunks) == (filters == "zlib")
    assert source.chunks == source.storage.chunks
    assert len(lookups) == 1


@pytest.mark.parametrize("attribute", ["lock", "peak_bytes", "chunks", None])
@pytest.mark.parametrize("change", ["values", "shape", "dtype", "fewer", "gone"])
def test_file_that_changes_before_the_lookup(tmp_path, change, attribute):
    path = tmp_path / "a.nc"

    def make(value, dtype="i4", shape=SHAPE, records=4):
        path.unlink(missing_ok=True)
        with netCDF4.Dataset(path, "w") as file:
            file.createDimension("t", None)
            for dim, n in zip(("y", "x"), shape, strict=True):
                file.createDimension(dim, n)
            for name, dims in (("v", ("y", "x")), ("r", ("t", "x"))):
                variable = file.createVariable(name, dtype, dims, chunksizes=CHUNKS, zlib=True)
                variable[:] = np.full((records if "t" in dims else shape[0], shape[1]), value)

    make(1)
    sources = [open_variable(path, name) for name in ("v", "r")]
    copies = [pickle.loads(pickle.dumps(source)) for source in sources]
    if change == "gone":
        path.unlink()
    else:
        shape = (11, 8) if change == "shape" else SHAPE
        make(2, "i2" if change == "dtype" else "i4", shape, 3 if change == "fewer" else 4)
    for source in (*sources, *copies):
        box = whole(source.shape)
        for _ in range(2):
            if attribute == "peak_bytes":
                source.peak_bytes(box)
            elif attribute is not None:
                getattr(source, attribute)
            if change == "values" or (change == "fewer" and source.variable == "v"):
                assert (read(source, box) == 2).all()
            else:
                with pytest.raises(SourceError):
                    read(source, box)


def test_concurrent_first_reads_share_one_lookup(tmp_path, lookups):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        create(file, "i4", zlib=True)[...] = values_of("i4")
    source, found = open_variable(tmp_path / "a.nc"), []
    start = threading.Barrier(8)

    def run():
        start.wait()
        found.append((source.lock, read(source, whole(SHAPE)).tobytes()))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {(None, values_of("i4").tobytes())}
    assert len(lookups) == 1


def test_strings_and_ragged_rows_are_read_by_h5py(tmp_path, fail_on_library_reads):
    """netCDF4-python must not read these from a file that biggus holds open as well."""
    texts = np.array(["a", "", "ünder", "d" * 300, "e", "f", "g"], object)
    rows = np.array([np.arange(n, dtype="i4") for n in range(7)] + [None], object)[:7]
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("n", None)
        file.createVariable("texts", str, ("n",), chunksizes=(3,))[:] = texts
        file.createVariable("alone", str, ())[...] = "one"
        ragged = file.createVLType("i4", "ragged")
        file.createVariable("rows", ragged, ("n",), chunksizes=(2,))[:] = rows
    for step in (1, 3):
        box = np.s_[1:7:step,]
        found = read(open_variable(tmp_path / "a.nc", "texts"), box)
        assert found.tolist() == texts[box].tolist()
        for row, wanted in zip(
            read(open_variable(tmp_path / "a.nc", "rows"), box), rows[box], strict=True
        ):
            assert row.dtype == wanted.dtype
            assert row.tolist() == wanted.tolist()
    assert read(open_variable(tmp_path / "a.nc", "alone"), ()).tolist() == "one"
