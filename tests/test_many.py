"""Joined files are converted to one unit of time and one packing, or raise an error."""

import logging
import pickle

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.cli.command import main
from biggus.errors import GoneError, MismatchError, OptionError

netcdf = pytest.importorskip("netCDF4")
cftime = pytest.importorskip("cftime")

UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, values, **attributes):
    """Write a variable to a netCDF file."""
    values = np.ma.asanyarray(values)
    with netcdf.Dataset(path, "w") as file:
        file.createDimension("t", len(values))
        fill = attributes.pop("_FillValue", None)
        made = file.createVariable("v", values.dtype, ("t",), fill_value=fill)
        made.set_auto_maskandscale(False)
        made[:] = values.filled(fill) if fill is not None else values.data
        made.setncatts(attributes)
    return path


def write_zarr(path, values, **attributes):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(path, name="v", data=values, attributes=attributes)
    return path


def write_hdf5(path, values, **attributes):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["v"] = values
        file["v"].attrs.update(attributes)
    return path


def dates(counts, units, calendar="standard"):
    return cftime.num2date(counts, units, calendar=calendar, only_use_cftime_datetimes=True)


# --- times ------------------------------------------------------------------------------------


@pytest.mark.parametrize("calendar", ["standard", "gregorian", "noleap", "360_day", "julian"])
@pytest.mark.parametrize("dtype", ["i4", "i8", "f8", "f4", "i2"])
@pytest.mark.parametrize(
    ("writer", "suffix"), [(write, "nc"), (write_zarr, "zarr"), (write_hdf5, "h5")]
)
def test_times_are_converted_to_the_units_of_the_first_file(
    folder, writer, suffix, dtype, calendar
):
    units = ["hours since 2000-02-28", "days since 2000-03-01", "hours since 1999-12-30 06:00"]
    counts = [np.array([0, 5, 300], dtype) + n for n in range(3)]
    paths = [
        writer(folder / f"{n}.{suffix}", values, units=text, calendar=calendar)
        for n, (values, text) in enumerate(zip(counts, units, strict=True))
    ]
    found = biggus.open_many(paths, "v")
    assert found.dtype == ("i8" if dtype[0] == "i" else "f8")
    right = np.concatenate([dates(*pair, calendar) for pair in zip(counts, units, strict=True)])
    np.testing.assert_array_equal(dates(found.ndarray(), units[0], calendar), right)
    np.testing.assert_array_equal(
        biggus.open_many(f"*.{suffix}", "v", stack=True)[:, ::-1].ndarray(),
        found.ndarray().reshape(3, 3)[:, ::-1],
    )
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again[2:5].ndarray(), found.ndarray()[2:5])
    assert (again.units, again.attrs["calendar"]) == (units[0], calendar)
    assert found.max().ndarray() == found.ndarray().max()


def test_times_match_netcdf4_mftime(folder):
    for n, month in enumerate(("01", "02", "03")):
        with netcdf.Dataset(folder / f"m{n}.nc", "w", format="NETCDF4_CLASSIC") as file:
            file.createDimension("time", None)
            time = file.createVariable("time", "f8", ("time",))
            time.setncatts({"units": f"days since 2000-{month}-01", "calendar": "standard"})
            time[:] = [0, 1, 2.5]
    paths = [f"m{n}.nc" for n in range(3)]
    with netcdf.MFDataset(paths) as joined:
        right = netcdf.MFTime(joined["time"])[:]
    np.testing.assert_array_equal(biggus.open_many("m*.nc", "time").ndarray(), right)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(UNITS),
            st.dates(min_value=np.datetime64("1700-01-01").item()),
            st.lists(st.integers(0, 10**4), min_size=1, max_size=3),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_random_times_match_cftime(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("times")
    right = []
    for n, (unit, day, counts) in enumerate(parts):
        units = f"{unit} since {day.isoformat()}"
        write(folder / f"{n}.nc", np.array(counts, "i8"), units=units)
        right.extend(dates(counts, units))
    found = biggus.open_many(str(folder / "*.nc"), "v").ndarray()
    got = dates(found, f"{parts[0][0]} since {parts[0][1].isoformat()}")
    # Days have no microseconds to spare as floats.
    assert all(abs((a - b).total_seconds()) < 1e-3 for a, b in zip(got, right, strict=True))


def test_missing_times_stay_missing(folder):
    first = write(folder / "a.nc", np.array([1, 2], "i4"), units="days since 2000-01-01")
    second = write(
        folder / "b.nc",
        np.ma.masked_array([1, 2], [0, 1], "i4"),
        units="days since 2000-01-11",
        _FillValue=np.int32(-9),
    )
    for found, right in [
        (biggus.open_many([first, second], "v"), [1, 2, 11, None]),
        (biggus.open_many([second, first], "v"), [1, None, -9, -8]),
    ]:
        assert found.masked_array().tolist() == right


def test_equivalent_units_need_no_conversion(folder):
    first = write(folder / "a.nc", np.array([1, 2], "i2"), units="days since 2000-01-01")
    second = write(folder / "b.nc", np.array([3], "i2"), units="Days since 2000-1-1 00:00:00Z")
    found = biggus.open_many([first, second], "v")
    assert found.dtype == "i2"
    assert found.units == "days since 2000-01-01"
    assert found.ndarray().tolist() == [1, 2, 3]


def test_converted_times_lose_attributes_of_stored_counts(folder):
    first = write(folder / "a.nc", np.array([1, 2], "i4"), units="days since 2000-01-01")
    own = {"units": "hours since 2000-01-01", "calendar": "proleptic_gregorian"}
    bounded = {"valid_max": np.int32(99), "standard_name": "time"}
    second = write(folder / "b.nc", np.array([72], "i4"), **own, **bounded)
    again, other = biggus.open_many([second, first], "v"), biggus.open_many([first, second], "v")
    assert other.attrs == {"units": "days since 2000-01-01"}
    assert again[:1].ndarray() == 72
    assert again.attrs == own  # without valid_max, which does not hold for the other file


@pytest.mark.parametrize("name", ["bounds", "climatology"])
@pytest.mark.parametrize("group", ["", "g/"])
def test_bounds_are_converted_with_their_coordinate(folder, name, group):
    paths = []
    for n, units in enumerate(("days since 2000-01-01", "days since 2000-02-01")):
        with netcdf.Dataset(folder / f"{n}.nc", "w") as file:
            where = file.createGroup("g") if group else file
            where.createDimension("time", 2)
            where.createDimension("nv", 2)
            time = where.createVariable("time", "f8", ("time",))
            time.setncatts({"units": units, name: "time_bnds"})
            time[:] = [0.5, 1.5]
            where.createVariable("time_bnds", "f8", ("time", "nv"))[:] = [[0, 1], [1, 2]]
            where.createVariable("other", "f8", ("time", "nv"))[:] = [[0, 1], [1, 2]]
        paths.append(folder / f"{n}.nc")
    for options in ({}, {"chunks": (1, 2)}):
        found = biggus.open_many(paths, group + "time_bnds", **options).ndarray()
        assert found.tolist() == [[0, 1], [1, 2], [31, 32], [32, 33]]
    assert biggus.open_many(paths, group + "other").ndarray().tolist() == [[0, 1], [1, 2]] * 2


def test_bounds_without_known_units_raise(folder, tmp_path, monkeypatch):
    cache = biggus.Cache(tmp_path / "cache")
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    for name, units in (("a.nc", "days since 2000-01-01"), ("b.nc", "days since 2000-02-01")):
        with netcdf.Dataset(folder / name, "w") as file:
            file.createDimension("time", 2)
            file.createDimension("nv", 2)
            time = file.createVariable("time", "f8", ("time",))
            time.setncatts({"units": units, "bounds": "time_bnds"})
            time[:] = [0, 1]
            file.createVariable("time_bnds", "f8", ("time", "nv"))[:] = [[0, 1], [1, 2]]
        biggus.open(folder / name, "time_bnds", cache=cache).ndarray()
        (folder / name).unlink()
    paths = [folder / "a.nc", folder / "b.nc"]
    with pytest.raises(GoneError, match=r"a.nc.*'time'.*mismatch="):
        biggus.open_many(paths, "time_bnds", cache=cache)
    joined = biggus.open_many(paths, "time_bnds", cache=cache, mismatch="ignore")
    assert joined.ndarray().tolist() == [[0, 1], [1, 2]] * 2


def test_standard_and_proleptic_gregorian_calendars_are_joined(folder):
    write(folder / "a.nc", np.array([0, 1]), units="days since 2000-01-01", calendar="standard")
    other = {"calendar": "proleptic_gregorian"}
    write(folder / "b.nc", np.array([0, 1]), units="days since 2000-02-01", **other)
    write(folder / "c.nc", np.array([3, 4]), units="days since 2000-01-01", **other)
    found = biggus.open_many("?.nc", "v")
    assert found.ndarray().tolist() == [0, 1, 31, 32, 3, 4]
    write(folder / "d.nc", np.array([-200000]), units="days since 2000-01-01", **other)
    late = biggus.open_many(["a.nc", "b.nc", "d.nc"], "v")
    assert late[:4].ndarray().tolist() == [0, 1, 31, 32]
    with pytest.raises(ValueError, match="before 15 October 1582"):
        late.ndarray()


# --- mismatches --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"units": "K"}, {"units": "degC"}, "units 'K' and 'degC'"),
        ({"units": "K"}, {}, "units 'K' and none"),
        ({}, {"units": "m s-1"}, "units none and 'm s-1'"),
        ({"units": "M"}, {"units": "m"}, "units 'M' and 'm'"),
        ({"units": "days since 2000-01-01"}, {"units": "K"}, "'days since 2000-01-01' and 'K'"),
        ({"units": "days since 2000-01-01"}, {"units": "months since 2000-01-01"}, "'months since"),
        ({"units": "days since 2000-01-01"}, {"units": "days since 2000-02-30"}, "2000-02-30"),
        (
            {"units": "days since 2000-01-01", "calendar": "noleap"},
            {"units": "days since 2000-01-01", "calendar": "360_day"},
            "calendar 'noleap' and '360_day'",
        ),
        (
            {"units": "days since 2000-01-01"},
            {"units": "days since 2000-01-01", "calendar": "julian"},
            "calendar 'standard' and 'julian'",
        ),
    ],
)
def test_different_units_raise_unless_mismatch_is_ignored(folder, first, second, message, capsys):
    write(folder / "a.nc", np.array([1.0]), **first)
    write(folder / "b.nc", np.array([2.0]), **second)
    with pytest.raises(MismatchError, match=r"a\.nc v and of .*b\.nc v ") as caught:
        biggus.open_many("?.nc", "v")
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(MismatchError):
        biggus.open_many(["a.nc", "b.nc"], "v", stack=True)
    assert biggus.open_many("?.nc", "v", mismatch="ignore").ndarray().tolist() == [1, 2]
    assert main(["stats", "?.nc::v", "--statistics", "max"]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "--join-mismatch ignore" in err
    assert main(["stats", "?.nc::v", "--statistics", "max", "--join-mismatch", "ignore"]) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"units": "1"}, {}),
        ({"units": ""}, {"units": "1"}),
        ({"units": "m  s-1 "}, {"units": "m s-1"}),
        ({"units": "furlongs"}, {"units": "furlongs"}),
        (
            {"units": "days since 2000-01-01"},
            {"units": "days since 2000-01-01", "calendar": "gregorian"},
        ),
        ({"units": "months since 2000-01-01"}, {"units": "months since 2000-01-01"}),
        ({"long_name": "a", "history": "x"}, {"long_name": "b"}),
        ({"units": "K", "calendar": "x"}, {"units": "K"}),
    ],
)
def test_irrelevant_attributes_may_differ(folder, first, second):
    write(folder / "a.nc", np.array([1.0]), **first)
    write(folder / "b.nc", np.array([2.0]), **second)
    found = biggus.open_many("?.nc", "v")
    assert found.ndarray().tolist() == [1, 2]


PACKED = (
    {"scale_factor": 0.5},
    {"scale_factor": 0.25, "add_offset": 10.0},
    {"_FillValue": np.int16(2)},
    {"missing_value": np.int16(3)},
    {"valid_max": np.int16(2)},
    {},
)


@pytest.mark.parametrize("first", PACKED)
@pytest.mark.parametrize("second", PACKED)
def test_different_packings_are_decoded_or_raise(folder, first, second):
    right = []
    for name, attributes in (("a", first), ("b", second)):
        write(folder / f"{name}.nc", np.array([1, 2, 3], "i2"), **attributes)
        with netcdf.Dataset(f"{name}.nc") as file:
            right.extend(np.ma.asanyarray(file["v"][:]).tolist())
    found = biggus.open_many("?.nc", "v")
    assert found.masked_array().tolist() == right
    if first is second:
        raw = biggus.open_many("?.nc", "v", decode=False)
    else:
        (name,) = list({**second, **first})[-1:]
        with pytest.raises(MismatchError, match=rf"\b{name} "):
            biggus.open_many("?.nc", "v", decode=False)
        raw = biggus.open_many("?.nc", "v", decode=False, mismatch="ignore")
    assert raw.ndarray().tolist() == [1, 2, 3, 1, 2, 3]


def test_raw_times_with_different_units_raise(folder):
    write(folder / "a.nc", np.array([1]), units="days since 2000-01-01")
    write(folder / "b.nc", np.array([1]), units="days since 2000-02-01")
    with pytest.raises(MismatchError, match="2000-02-01"):
        biggus.open_many("?.nc", "v", decode=False)
    assert biggus.open_many("?.nc", "v").ndarray().tolist() == [1, 32]


def test_boolean_times_raise(folder):
    for name, day in (("a", 1), ("b", 2)):
        write_zarr(folder / f"{name}.zarr", np.array([True]), units=f"days since 2000-01-0{day}")
    with pytest.raises(MismatchError, match="cannot be converted"):
        biggus.open_many("?.zarr", "v")


def test_invalid_mismatch_option_raises(folder):
    write(folder / "a.nc", np.array([1.0]))
    with pytest.raises(OptionError, match="mismatch is 'raise' or 'ignore', not 'warn'"):
        biggus.open_many("a.nc", "v", mismatch="warn")


# --- dtypes, masks, shapes ----------------------------------------------------------------------


@pytest.mark.parametrize("first", ["i2", "u4", "f4", "f8", "u8"])
@pytest.mark.parametrize("second", ["i1", "i8", "f4", ">f8", "u2"])
def test_dtypes_promote_and_are_logged(folder, first, second, caplog):
    caplog.set_level(logging.INFO, "biggus")
    values = [np.array([1, 2], first), np.array([3, 4], second)]
    for name, each in zip("ab", values, strict=True):
        write_hdf5(folder / f"{name}.h5", each)
    found = biggus.open_many("?.h5", "v")
    right = np.concatenate(values)
    assert found.dtype == right.dtype
    np.testing.assert_array_equal(found.ndarray(), right)
    messages = [r.getMessage() for r in caplog.records if "promot" in r.getMessage()]
    assert len(messages) == (values[0].dtype != values[1].dtype)


def test_missing_values_of_one_file_stay_missing(folder):
    write(folder / "a.nc", np.array([1.0, 2.0]))
    write(folder / "b.nc", np.array([1.0, 2.0]), _FillValue=2.0)
    write_hdf5(folder / "c.h5", np.array([3.0]))
    found = biggus.open_many(["c.h5", "a.nc", "b.nc"], "v")
    assert found.masked_array().tolist() == [3, 1, 2, 1, None]


def test_different_axis_orders_raise_unless_mismatch_is_ignored(folder):
    for name, dims in {"a.nc": "tyx", "b.nc": "txy"}.items():
        with netcdf.Dataset(name, "w") as file:
            for dim in dims:
                file.createDimension(dim, 3)
            file.createVariable("v", "f4", tuple(dims))[:] = 1
    with pytest.raises(MismatchError, match=r"axes \('t', 'y', 'x'\) and \('t', 'x', 'y'\)"):
        biggus.open_many("*.nc", "v")
    assert biggus.open_many("*.nc", "v", mismatch="ignore").shape == (6, 3, 3)


def test_axis_may_be_a_name(folder):
    for number, name in enumerate(("a.nc", "b.nc")):
        with netcdf.Dataset(name, "w") as file:
            for dim, n in {"t": 2, "x": 3 + number}.items():
                file.createDimension(dim, n)
            file.createVariable("v", "f4", ("t", "x"))[:] = number
    assert biggus.open_many("*.nc", "v", axis="x").shape == (2, 7)
    assert main(["stats", "*.nc", "v", "--join-axis", "x"]) == 0
    with pytest.raises(ValueError, match="no axis named 'y'; there are t, x"):
        biggus.open_many("*.nc", "v", axis="y")


def test_shape_mismatch_error_names_the_files(folder):
    write_hdf5(folder / "a.h5", np.zeros((2, 3)))
    write_hdf5(folder / "b.h5", np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"array 1 \(.*b\.h5 v\) has \(2, 4\)"):
        biggus.open_many("?.h5", "v")
    with pytest.raises(ValueError, match=r"array 1 \(.*b\.h5 v\) has \(2, 4\)"):
        biggus.open_many("?.h5", "v", stack=True)


# --- the command line ---------------------------------------------------------------------------


def test_command_line_converts_times(folder, capsys):
    write(folder / "a.nc", np.array([1.0]), units="days since 2000-01-01")
    write(folder / "b.nc", np.array([1.0]), units="days since 2000-02-01")
    assert main(["stats", "?.nc::v", "--statistics", "max", "--json"]) == 0
    assert '"max": 32.0' in capsys.readouterr().out
