"""The netCDF backend: every format and type against netCDF4-python."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netcdf_makers import BACKEND, CLASSIC, FORMATS, names_of, open_variable, write, write_types

from biggus import cf
from biggus.backends.location import Location
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files as netcdf_files
from biggus.sources.base import read, whole
from biggus.testing import SourceTests
from biggus.testing.strategies import boxes

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")


class Conformance(SourceTests):
    """The conformance suite for one format."""

    format = "NETCDF4"
    dtypes = ("f8", "f4", "i1", "i2", "i4")
    unlimited = False

    def store(self, values, folder):
        folder.mkdir(exist_ok=True)
        grows = self.unlimited and values.ndim > 0
        write(folder / "values.nc", values, format=self.format, unlimited=grows)

    def open(self, folder):
        return open_variable(folder / "values.nc")


class TestClassic(Conformance):
    format = "NETCDF3_CLASSIC"


class TestClassicWithRecords(Conformance):
    format = "NETCDF3_64BIT_OFFSET"
    unlimited = True


class TestClassicOf64Bits(Conformance):
    format = "NETCDF3_64BIT_DATA"
    dtypes = ("u2", "f8", "i8", "u8", "u1", "u4")


class TestNetCDF4(Conformance):
    dtypes = ("f8", ">f4", ">i2", "i8", "u8", "u1", "u4")


class TestNetCDF4Classic(Conformance):
    format = "NETCDF4_CLASSIC"
    unlimited = True


def oracle(path, name, **flags):
    """Return the values of a variable by netCDF4-python, with the given flags set."""
    # Two handles of a file with ragged rows or strings crash the library when one is closed.
    netcdf_files.datasets.clear()
    with hdf5_lock, netCDF4.Dataset(path) as dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        variable = dataset[name]
        for flag, value in flags.items():
            getattr(variable, f"set_{flag}")(value)
        return variable[...]


def decoded(source):
    values = read(source, whole(source.shape))
    decode = cf.decoder(source.dtype, source.attributes) if source.conventions == "CF" else None
    return values if decode is None else decode(values)


def assert_variable(path, name):
    """Assert that packed and decoded values are those of netCDF4-python."""
    raw = open_variable(path, name, decode=False)
    expected = oracle(path, name, auto_maskandscale=False, auto_chartostring=False)
    assert_values(read(raw, whole(raw.shape)), expected)
    source = open_variable(path, name)
    got, expected = decoded(source), oracle(path, name)
    mask = np.ma.getmaskarray(expected)
    if source.dtype.kind == "S":
        # netCDF4-python masks empty characters; biggus keeps them.
        assert not np.any(got[mask])
        if expected is np.ma.masked:
            return
        mask = np.zeros(source.shape, bool)
    assert_values(got, expected, mask)
    if source.dtype.kind not in "SUOV":
        np.testing.assert_array_equal(np.ma.getmaskarray(got), mask)


def assert_values(got, expected, mask=False):
    if expected is not np.ma.masked and got.dtype != object:
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
    if got.dtype == object and not got.shape:
        np.testing.assert_array_equal(got[()], expected)
    elif got.dtype.fields:
        for field in got.dtype.fields:
            assert got[field].tobytes() == expected[field].tobytes()
    elif got.dtype == object:
        assert got.shape == expected.shape
        for one, other in zip(got.flat, expected.flat, strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        shown = np.ma.getdata(got)[~np.broadcast_to(mask, got.shape)]
        wanted = np.ma.getdata(expected)[~np.broadcast_to(mask, got.shape)]
        assert shown.tobytes() == wanted.tobytes()


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    return write_types(tmp_path_factory.mktemp("types") / "types.nc")


def test_every_type(types):
    names = names_of(types)
    assert len(names) == 29
    for name in names:
        if name != "no_text":
            assert_variable(types, name)


def test_variables_in_groups_have_paths(types):
    names = names_of(types)
    assert names[0] == "of_i1"
    assert names[-2:] == ("outer/deep", "outer/inner/deep")
    deep = open_variable(types, "/outer/inner/deep")
    assert deep.name == f"{types}::outer/inner/deep"
    assert (deep.shape, deep.dims, deep.chunks) == ((3, 5), ("x", "y"), (2, 5))
    assert open_variable(types, "outer/deep").dtype == "i2"


def test_attributes_of_a_source(types):
    source = open_variable(types, "of_i2")
    assert source.token == f"netcdf:{types}::of_i2"
    assert (source.io_bound, source.owns_data, source.remote, source.masked) == (
        False,
        True,
        False,
        False,
    )
    assert source.conventions == "CF"
    assert source.chunks is None
    assert open_variable(types, "of_i2", decode=False).token == source.token


def test_characters_with_an_encoding_are_strings(types):
    source = open_variable(types, "text_utf-8")
    assert (source.shape, source.dtype, source.dims) == ((3,), "U4", ("x",))
    assert source[(slice(1, 3, 1),)].tolist() == ["cdef", ""]
    assert open_variable(types, "text_none").dtype == "S4"
    assert open_variable(types, "word")[()].item() == "cdef"
    raw = open_variable(types, "text_utf-8", decode=False)
    assert (raw.shape, raw.dtype) == ((3, 4), "S1")
    assert raw.token != source.token
    # Without an encoding, without an axis, or of length zero, they stay characters.
    assert open_variable(types, "letters").shape == (3, 4)
    assert open_variable(types, "letter").dtype == "S1"
    assert (open_variable(types, "no_text").shape, open_variable(types, "no_text").dtype) == (
        (3, 0),
        "S1",
    )


def test_scalars_are_arrays(types):
    for name, value in {"scalar": 2.5, "string": "hello", "letter": b"q"}.items():
        values = read(open_variable(types, name), ())
        assert values.shape == ()
        assert values.item() == value
    row = read(open_variable(types, "ragged_row"), ())
    assert row.shape == ()
    assert row.item().tolist() == [7, 8, 9]


def test_structures_have_zeros_between_their_fields(types):
    source = open_variable(types, "compound")
    values = read(source, whole(source.shape))
    assert values.dtype["text"] == "S4"
    gap = np.frombuffer(values.tobytes(), "u1").reshape(3, -1)[:, 6:8]
    assert not gap.any()


def test_attributes_keep_their_dtypes(tmp_path):
    attributes = {
        "scale_factor": np.float32(0.5),
        "valid_range": np.array([1, 2], "i2"),
        "units": "K",
        "words": ["a", "b"],
    }
    path = write(tmp_path / "a.nc", np.zeros(3, "i2"), attributes=attributes, fill=5)
    got = open_variable(path).attributes
    assert list(got) == ["_FillValue", *attributes]
    assert got["scale_factor"].dtype == "f4"
    assert got["valid_range"].dtype == "i2"
    assert (got["units"], got["words"], got["_FillValue"]) == ("K", ["a", "b"], 5)


def test_no_fill_of_byte_variables(tmp_path):
    values = np.array([0, 255], "u1")
    path = write(tmp_path / "b.nc", values, fill=False)
    assert open_variable(path).attributes == {"_NoFill": "true"}
    assert_variable(path, "v")
    path = write(tmp_path / "c.nc", values)
    assert open_variable(path).attributes == {}
    assert_variable(path, "v")


def test_file_with_more_records_than_at_opening(tmp_path):
    for format in FORMATS:
        path = tmp_path / f"{format}.nc"
        write(path, np.arange(6, dtype="i4").reshape(3, 2), format=format, unlimited=True)
        source = open_variable(path)
        box = whole(source.shape)
        before = read(source, box)
        path.replace(tmp_path / "other.nc")
        write(path, np.arange(10, dtype="i4").reshape(5, 2), format=format, unlimited=True)
        assert source.shape == (3, 2)
        assert np.array_equal(read(source, box), before)
        assert open_variable(path).shape == (5, 2)


def test_changed_shape_or_dtype_raises(tmp_path):
    path = write(tmp_path / "a.nc", np.arange(6))
    source = open_variable(path)
    write(path, np.arange(7))
    with pytest.raises(OSError, match=r"its shape was \(6,\), and is now \(7,\); open it again"):
        read(source, (slice(0, 2, 1),))
    write(path, np.arange(6.0))
    with pytest.raises(OSError, match=r"its dtype was int64, and is now float64; open it again"):
        read(source, (slice(0, 2, 1),))
    write(path, np.arange(6) + 5)
    assert read(source, (slice(0, 2, 1),)).tolist() == [5, 6]


def test_file_rewritten_in_place_is_read_again(tmp_path):
    path = write(tmp_path / "a.nc", np.arange(6, dtype="i4"), format="NETCDF3_CLASSIC")
    other = write(tmp_path / "b.nc", np.arange(6, dtype="i4") + 10, format="NETCDF3_CLASSIC")
    source = open_variable(path)
    assert read(source, (slice(0, 2, 1),)).tolist() == [0, 1]
    with path.open("r+b") as file:
        file.write(other.read_bytes())
    assert read(source, (slice(0, 2, 1),)).tolist() == [10, 11]


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF4"])
@pytest.mark.parametrize("chunked", [False, True])
def test_any_box(tmp_path, format, chunked):
    values = np.arange(7 * 50 * 60, dtype="i4").reshape(7, 50, 60)
    options = {"chunksizes": (2, 30, 25), "zlib": True} if chunked and format == "NETCDF4" else {}
    path = write(tmp_path / "a.nc", values, format=format, unlimited=chunked, **options)
    source = open_variable(path)

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(boxes(values.shape))
    def check(box):
        np.testing.assert_array_equal(read(source, box), values[box], strict=True)

    check()


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from([8, 300, 8 * 2**20]))
def test_strided_boxes_in_slabs_of_any_size(types_of_strides, data, slab):
    from biggus.backends import strided

    values, source = types_of_strides
    box = data.draw(boxes(values.shape))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strided, "_SLAB_BYTES", slab)
        patch.setattr(strided, "_LEAST_RUN", data.draw(st.sampled_from([1, 100])))
        patch.setattr(strided, "MOST_WASTE", data.draw(st.sampled_from([1, 32, 10**6])))
        np.testing.assert_array_equal(read(source, box), values[box], strict=True)


@pytest.fixture(scope="module")
def types_of_strides(tmp_path_factory):
    values = np.random.default_rng(5).integers(0, 99, (6, 1, 40, 30)).astype("i2")
    path = tmp_path_factory.mktemp("strides") / "strides.nc"
    return values, open_variable(write(path, values, chunksizes=(4, 1, 7, 30)))


def test_pickling_does_not_open_the_file(tmp_path):
    path = write(tmp_path / "a.nc", np.arange(6))
    source = open_variable(path)
    pickled = pickle.dumps(source)
    path.rename(tmp_path / "away.nc")
    copy = pickle.loads(pickled)
    assert (copy.shape, copy.dtype, copy.token) == (source.shape, source.dtype, source.token)
    with pytest.raises(OSError, match="there is no such file"):
        read(copy, (slice(0, 2, 1),))
    (tmp_path / "away.nc").rename(path)
    assert read(copy, (slice(0, 2, 1),)).tolist() == [0, 1]


def sample_files():
    package = pytest.importorskip("iris_sample_data")
    folder = Path(package.__file__).parent / "sample_data"
    return sorted(folder.rglob("*.nc"))


def test_sample_files():
    files = sample_files()
    assert len(files) > 10
    for path in files:
        assert BACKEND.claims(Location(path)) == BACKEND.BY_MARK
        with hdf5_lock, netCDF4.Dataset(path) as dataset:
            expected = tuple(dataset.variables)
        assert names_of(path) == expected
        for name in names_of(path):
            assert_variable(path, name)


class TestClaims:
    @pytest.mark.parametrize("format", FORMATS)
    def test_claims_by_content(self, tmp_path, format):
        path = write(tmp_path / "a.nc", np.arange(3, dtype="i4"), format=format)
        bare = path.rename(tmp_path / "noname")
        assert BACKEND.claims(Location(bare)) == BACKEND.BY_MARK

    def test_claims_hdf5_by_suffix(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        for name, block, claim in (
            ("a.h5", 0, BACKEND.UNCLAIMED),
            ("a.nc", 0, BACKEND.BY_MARK),
            ("b.nc4", 512, BACKEND.BY_MARK),
            ("c.cdf", 4096, BACKEND.BY_MARK),
        ):
            with hdf5_lock, h5py.File(tmp_path / name, "w", userblock_size=block) as file:
                file["v"] = 1
            assert BACKEND.claims(Location(tmp_path / name)) == claim

    def test_claims_by_suffix(self, tmp_path):
        (tmp_path / "a.nc").write_bytes(b"")
        (tmp_path / "b.txt").write_bytes(b"CDF but not quite")
        assert BACKEND.claims(Location(tmp_path / "a.nc")) == BACKEND.BY_SUFFIX
        assert BACKEND.claims(Location(tmp_path / "none.nc")) == BACKEND.BY_SUFFIX
        assert BACKEND.claims(Location(tmp_path / "b.txt")) == BACKEND.UNCLAIMED
        assert BACKEND.claims(Location(tmp_path / "none.txt")) == BACKEND.UNCLAIMED

    def test_declines_folders_and_urls(self, tmp_path):
        (tmp_path / "a.nc").mkdir()
        assert BACKEND.claims(Location(tmp_path / "a.nc")) == BACKEND.UNCLAIMED
        assert BACKEND.claims(Location("https://example.org/a.nc")) == BACKEND.UNCLAIMED


def test_classic_formats_differ_in_their_magic_bytes(tmp_path):
    marks = set()
    for format in CLASSIC:
        path = write(tmp_path / "a.nc", np.arange(3, dtype="i4"), format=format)
        marks.add(path.read_bytes()[:4])
    assert len(marks) == 3
