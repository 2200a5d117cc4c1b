"""Round trips keep values, mask and dtype, for every dtype in every format."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import Assigning
from biggus.sinks.netcdf import _Variable
from biggus.testing import assert_same, sample_values

hypothesis = pytest.importorskip("hypothesis")
h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
pytest.importorskip("zarr")
st = hypothesis.strategies

# Times without a unit are among the dtypes; NumPy 2.5 deprecates them.
pytestmark = pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")

TARGETS = ["out.nc::v", "out.h5::g/v", "out.zarr", "out.zarr::g/v", "out.npy"]

NUMBERS = ["i1", "u1", "i2", ">u2", ">i4", "u4", "i8", "u8", "f4", ">f8"]
DTYPES = [
    *NUMBERS,
    *("?", "f2", ">f2", "c8", ">c16", "g", "G", "M8[s]", ">M8[ns]", "M8[25s]", "m8[h]", "m8"),
    *("S3", "U4", ">U2", "O", "T", "V4"),
    [("x", "i4"), ("y", ">f8", (2,))],
    [("é", "i2"), ("氷", "f4")],
]

REFUSED = {
    "out.nc": "cmMSV",  # and long doubles
    "out.h5": "",
    "out.zarr": "V",
    "out.npy": "OT",
}


def is_refused(target, dtype, masked):
    """Return whether saving a dtype in a format raises before anything is written."""
    path = target.partition("::")[0]
    if dtype.kind in REFUSED[path]:
        return True
    if dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
        return path == "out.h5"
    return dtype.char in "gG" and path in ("out.nc", "out.zarr")


def default_fill(dtype):
    """Return the default fill value of the netCDF library."""
    return netCDF4.default_fillvals.get(dtype.str[1:])


def edges(dtype):
    """Return values to which some reader or writer gives a special meaning."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        found = [info.min, info.min + 1, info.max - 1, info.max, 0, 1]
    elif dtype.kind in "fc":
        payload = np.array([0x7FF8_0000_0000_1234], "u8").view("f8")[0]
        found = [np.nan, payload, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e20, -9999.0]
    elif dtype.kind in "mM":
        found = [np.iinfo("i8").min, np.iinfo("i8").min + 1, 0, np.iinfo("i8").max]
        return np.array(found, "i8").astype(dtype)
    else:
        return sample((4,), dtype, seed=1)
    with np.errstate(all="ignore"):
        default = default_fill(dtype)
        return np.array(found + ([] if default is None else [default])).astype(dtype)


def sample(shape, dtype, seed):
    if dtype.kind in "OTU":
        words = np.array(["", "a", "sea", "Zü", "氷", "nan", " "], object)
        picked = words[np.asarray(np.random.default_rng(seed).integers(words.size, size=shape))]
        return np.array(picked, object).astype(dtype)
    return sample_values(shape, dtype, seed)


@st.composite
def cases(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 9), max_size=3)))
    values = np.asarray(sample(shape, dtype, draw(st.integers(0, 99))))
    known = edges(dtype)
    if known.size and draw(st.booleans()):  # only these
        chosen = draw(st.lists(st.sampled_from(range(known.size)), min_size=1, max_size=3))
        values = np.array(known[np.resize(chosen, shape)], dtype).reshape(shape)
    chunks = tuple(draw(st.integers(1, 5)) for _ in shape) or None
    if not draw(st.booleans()):
        return values, chunks
    mask = np.random.default_rng(draw(st.integers(0, 9))).random(shape) < draw(
        st.sampled_from([0, 0.3, 1])
    )
    if dtype.names or dtype.kind in "OTV":
        return values, chunks
    masked = np.ma.MaskedArray(values, mask=mask)
    if known.size and draw(st.booleans()):
        masked.fill_value = known[draw(st.integers(0, known.size - 1))]
    return masked, chunks


def lazy(values, chunks=None):
    return biggus.ArrayAdapter(values, chunks=chunks)


def opened(target):
    path, _, name = target.partition("::")
    return biggus.open(path, name or None)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def check_round_trip(values, chunks, target):
    """Save, open and compare, or check that saving raises and leaves nothing behind."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    array = lazy(values, chunks)
    masked = isinstance(values, np.ma.MaskedArray)
    if is_refused(target, values.dtype, masked):
        with pytest.raises(OutputError):
            biggus.save(array, target)
        assert not list(Path().iterdir())
        return
    missing = masked and bool(np.ma.getmaskarray(values).any())
    without_mask = target == "out.npy" or values.dtype.kind in "SU"
    if missing and without_mask and values.dtype.kind not in "fcmM":
        with pytest.raises(MaskedValueError):
            biggus.save(array, target)
        assert not list(Path().iterdir())
        return
    biggus.save(array, target)
    got = opened(target)
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    found = got.masked_array()
    expected = np.ma.asarray(array.masked_array())
    if target == "out.npy":  # missing values are NaN and NaT there
        expected = np.ma.asarray(np.asarray(array.ndarray()))
    if values.dtype.char in "gG":  # long doubles have padding bits
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(expected))
        np.testing.assert_array_equal(found.compressed(), expected.compressed())
        return
    assert_same(found, expected)


@hypothesis.settings(max_examples=8 * hypothesis.settings.default.max_examples)
@hypothesis.given(cases(), st.sampled_from(TARGETS))
def test_round_trip(case, target):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        check_round_trip(*case, target)
        patch.undo()


def saved(values, target, **options):
    biggus.save(lazy(values, **options), target)
    return opened(target)


def by_netcdf4(name="v"):
    with netCDF4.Dataset("out.nc") as dataset:
        return dataset[name][...], dict(dataset[name].__dict__)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("hit", [False, True])
def test_values_equal_to_the_default_fill_value_are_not_masked(dtype, hit):
    dtype = np.dtype(dtype)
    values = np.array([0, 1, 2, default_fill(dtype) if hit else 3], dtype)
    assert_same(saved(values, "out.nc::v").masked_array(), np.ma.asarray(values))
    found, attributes = by_netcdf4()
    assert not np.ma.is_masked(found)
    assert np.array_equal(found, values)
    # A needless _FillValue makes readers without masks convert integers to floats.
    assert ("_FillValue" in attributes) == (hit and dtype.itemsize > 1)
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset("out.nc") as dataset:
        assert np.array_equal(dataset.v.values, values)
        if dtype.kind in "iu" and not (hit and dtype.itemsize > 1):
            assert dataset.v.dtype == dtype.newbyteorder("=")


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v", "out.zarr"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2"])
@pytest.mark.parametrize("masked", [False, True])
def test_single_unused_value_becomes_the_fill_value(target, dtype, masked):
    every = np.arange(2 ** (8 * np.dtype(dtype).itemsize)).astype(dtype)
    values = np.ma.MaskedArray(every, mask=(every == 7) & masked)
    values[every == 7] = np.ma.masked if masked else 6
    assert_same(saved(values if masked else values.data, target).masked_array(), values)


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v", "out.zarr"])
@pytest.mark.parametrize(("dtype", "wider"), [("i1", "i2"), ("u1", "i2"), ("i2", "i4")])
@pytest.mark.parametrize("masked", [False, True])
def test_no_unused_value_raises_and_suggests_astype(target, dtype, wider, masked):
    every = np.arange(2 ** (8 * np.dtype(dtype).itemsize)).astype(dtype)
    values = np.append(every, every[:1])
    if masked:
        values = np.ma.MaskedArray(values, mask=np.arange(values.size) == every.size)
    if masked or (".nc" in target and dtype == "i2"):
        with pytest.raises(OutputError, match=f"every value of dtype {np.dtype(dtype)}.*astype"):
            saved(values, target)
        assert not list(Path().iterdir())
        values = values.astype(wider)
    assert_same(saved(values, target).masked_array(), np.ma.asarray(values))


BLOCKS = (4, 1024, 1100)
"""A shape whose chunks are larger than a block."""


def values_with_fill_value_in_block(dtype, at):
    """Return masked values; those of block `at` are equal to the fill value."""
    marker = np.dtype(dtype).type(3)
    random = np.random.default_rng(0)
    data = random.integers(4, 100, BLOCKS).astype(dtype)
    mask = random.random(BLOCKS) < 0.3
    mask[1] = True
    if at is not None:
        data[at], mask[at] = marker, False
    return np.ma.MaskedArray(data, mask=mask, fill_value=marker)


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v", "out.zarr", "out.zarr::v"])
@pytest.mark.parametrize(("dtype", "at"), [("i4", 0), (">i8", 2), ("f4", 3), ("c8", 2)])
def test_fill_value_among_the_values_is_replaced(target, dtype, at):
    if dtype == "c8" and ".nc" in target:
        dtype = ">f8"
    values = values_with_fill_value_in_block(dtype, at)
    with biggus.set_options(workers=3, memory="30 MB"):
        got = saved(values, target, chunks=(1, *BLOCKS[1:]))
    assert got.fill_value != values.fill_value
    assert_same(got.masked_array(), values)
    if target == "out.nc::v":
        found, attributes = by_netcdf4()
        assert np.array_equal(np.ma.getmaskarray(found), values.mask)
        np.testing.assert_equal(attributes["_FillValue"], got.fill_value)


@pytest.mark.parametrize(("at", "again"), [(None, 0), (3, 3), (0, 0)])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_replaced_fill_value_rewrites_only_earlier_chunks(suffix, at, again, monkeypatch):
    cls = _Variable if suffix == ".nc" else Assigning
    written, write = [], cls.write

    def spy(self, box, values):
        written.append(box[0].start)
        write(self, box, values)

    monkeypatch.setattr(cls, "write", spy)
    values = values_with_fill_value_in_block("i4", at)
    with biggus.set_options(workers=1, memory="30 MB"):
        got = saved(values, f"out{suffix}::v", chunks=(1, *BLOCKS[1:]))
    assert sorted(written[:4]) == list(range(4))
    # Zarr omits chunks of the fill value alone, which are written once it is a value.
    assert len(written) - 4 == again + (suffix == ".zarr" and at is not None)
    assert_same(got.masked_array(), values)


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v", "out.zarr::v"])
def test_missing_booleans(target):
    values = np.ma.MaskedArray([True, False, True], mask=[0, 0, 1])
    got = saved(values, target)
    assert got.dtype == bool
    assert got.masked_array().tolist() == [True, False, None]
    xarray = pytest.importorskip("xarray")
    engine = {"nc": "netcdf4", "h5": "h5netcdf", "zarr": "zarr"}[target.split("::")[0][4:]]
    pytest.importorskip("h5netcdf")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with xarray.open_dataset(target.split("::")[0], engine=engine) as dataset:
            # With xarray's mark of booleans, xarray would read the missing one as True.
            assert np.array_equal(dataset.v.values, [1, 0, np.nan], equal_nan=True)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf", "zarr"])
def test_booleans_written_and_read_by_xarray(engine):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    values = np.array([[True, False], [False, False]])
    dataset = xarray.Dataset({"v": (("y", "x"), values)})
    if engine == "zarr":
        dataset.to_zarr("x.zarr", consolidated=False)
    else:
        dataset.to_netcdf("x.nc", engine=engine)
    path = "x.zarr" if engine == "zarr" else "x.nc"
    backends = [None] if engine == "zarr" else ["netcdf", "hdf5"]
    for backend in backends:
        got = biggus.open(path, "v", backend=backend)
        assert got.dtype == bool
        assert np.array_equal(got.ndarray(), values)
        assert biggus.open(path, "v", backend=backend, decode=False).ndarray().sum() == 1
    saved(values, "out.nc::v")
    with xarray.open_dataset("out.nc") as again:
        assert again.v.dtype == bool
        assert np.array_equal(again.v.values, values)


def test_values_equal_to_the_packed_fill_value():
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("v", "i2", ("x",), fill_value=np.int16(0))
        variable.set_auto_maskandscale(False)
        variable.scale_factor, variable.add_offset = 0.01, -1.0
        variable[:] = [0, 100, 200, 50]
    array = biggus.open("in.nc", "v")
    for target in ("out.nc::v", "out.h5::v", "out.zarr"):
        for unpacked in (array, array.astype("f4"), array[::-1] * 1):
            biggus.save(unpacked, target, overwrite=True)
            assert_same(opened(target).masked_array(), unpacked.masked_array())


PACKED = {
    "scaled": {"scale_factor": np.float32(0.5), "_FillValue": np.int16(-9)},
    "default": {"add_offset": np.float32(2)},
    "range": {"valid_range": np.array([0, 5], "i2"), "missing_value": np.array([2, 3], "i2")},
}


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v", "out.zarr::v"])
@pytest.mark.parametrize("packing", PACKED)
def test_raw_packed_values_keep_their_meaning(target, packing):
    attributes = dict(PACKED[packing])
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("x", 6)
        fill = attributes.pop("_FillValue", None)
        variable = dataset.createVariable("v", "i2", ("x",), fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attributes)
        variable[:] = [-9, 1, 2, 3, -32767, 6]
    expected = biggus.open("in.nc", "v").masked_array()
    raw = biggus.open("in.nc", "v", decode=False)
    biggus.save(raw, target)
    assert_same(biggus.open(*target.split("::"), decode=False).ndarray(), raw.ndarray())
    got = opened(target).masked_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
    np.testing.assert_array_equal(got.compressed(), expected.compressed())
    if "zarr" not in target:  # JSON has one width of numbers
        assert got.dtype == expected.dtype


def test_masked_hdf5_is_read_by_other_libraries():
    values = np.ma.MaskedArray(np.arange(6, dtype="i4"), mask=[0, 1, 0, 0, 0, 1])
    saved(values, "out.h5::v")
    with netCDF4.Dataset("out.h5") as dataset:
        assert dataset["v"][...].tolist() == values.tolist()
    with h5py.File("out.h5") as file:
        assert file["v"].fillvalue == file["v"].attrs["_FillValue"]


@pytest.mark.parametrize("target", ["out.nc::v", "out.h5::v"])
def test_strings_with_nul_raise(target):
    with pytest.raises(OutputError, match="NUL"):
        saved(np.array(["a\0b", "c"], object), target)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["U1", "O", "S1", "?", "i4"])
def test_advice_for_missing_values_works(target, dtype):
    numbers = np.array([1, 0, 1])
    data = numbers.astype(str if dtype == "O" else dtype).astype(dtype)
    values = np.ma.MaskedArray(data, mask=[0, 0, 1])
    if is_refused(target, values.dtype, masked=True):
        return
    if dtype in ("?", "i4") and target != "out.npy":
        assert_same(saved(values, target).masked_array(), values)
        return
    with pytest.raises(MaskedValueError, match=r"fill them first, with \.filled") as raised:
        saved(values, target)
    assert (".zarr, .h5 and .nc can" in str(raised.value)) == (dtype in ("?", "i4"))
    biggus.save(lazy(values).filled(values.data[1]), target)
    assert opened(target).ndarray().tolist() == values.filled(values.data[1]).tolist()
