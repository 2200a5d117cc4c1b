"""`biggus stats`: its statistics match NumPy's."""

import json

import numpy as np
import pytest

import biggus
from biggus.backends.hdf5.source import HDF5Source
from biggus.cli import main
from biggus.cli.stats import plain_number

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

RNG = np.random.default_rng(20)
NUMBERS = RNG.normal(280, 9, (12, 7, 5)).astype("f4")
NUMBERS[3, 2, 1] = NUMBERS[4, 2, 2] = np.nan
PACKED = np.ma.masked_greater(np.arange(60.0).reshape(12, 5) / 2, 20)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for first in (0, 6):
        with h5py.File(f"part{first}.h5", "w") as file:
            file.create_dataset("t", data=NUMBERS[first : first + 6], chunks=(2, 7, 5))
            file["dates"] = np.arange(4)
    with netCDF4.Dataset("packed.nc", "w") as dataset:
        dataset.createDimension("time", 12)
        dataset.createDimension("x", 5)
        variable = dataset.createVariable("tos", "i2", ("time", "x"), fill_value=-99)
        variable.scale_factor, variable.units = 0.5, "K"
        variable[...] = PACKED


@pytest.fixture
def run_stats(capsys):
    """Return a function that runs the command, which must succeed, and returns its output."""

    def run(*arguments):
        code = main(["stats", *arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        return json.loads(captured.out) if "--json" in arguments else captured.out

    return run


@pytest.fixture
def refused(capsys):
    """Return a function that runs the command, which must fail with one line."""

    def run(*arguments, code=1):
        assert main(["stats", *arguments]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("biggus: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def zarr_of(values, name="a.zarr", chunks=None):
    zarr.create_array(name, data=values, chunks=chunks or "auto")
    return name


def test_several_files_are_joined(run_stats):
    found = run_stats("part*.h5::t", "--json")
    values = NUMBERS.astype("f8")
    assert found["statistics"] == pytest.approx(
        {
            "count": NUMBERS.size - 2,
            "masked": 0,
            "nan": 2,
            "mean": np.nanmean(values),
            "std": np.nanstd(values),
            "min": float(np.nanmin(values)),
            "max": float(np.nanmax(values)),
        },
        rel=1e-13,
    )
    assert found["shape"] == [12, 7, 5]
    assert (found["dtype"], found["nbytes"], found["axis"]) == ("float32", NUMBERS.nbytes, None)
    assert [path.rpartition("/")[2] for path in found["locations"]] == ["part0.h5", "part6.h5"]
    assert found["seconds"] > 0


def test_one_variable_name_and_options_between_files(run_stats):
    together = run_stats("part*.h5::t", "--json")["statistics"]
    assert run_stats("part0.h5", "--json", "part6.h5::t")["statistics"] == together
    backwards = run_stats("part6.h5::t", "part0.h5", "--json")["statistics"]
    assert backwards == pytest.approx(together, rel=1e-13)


def test_join_along_another_axis(run_stats):
    found = run_stats("part0.h5::t", "part6.h5::t", "--join-axis", "1", "--json")
    assert found["shape"] == [6, 14, 5]
    assert found["statistics"]["count"] == NUMBERS.size - 2


def test_missing_values(run_stats):
    found = run_stats("packed.nc", "--json")
    assert found["statistics"] == pytest.approx(
        {
            "count": PACKED.count(),
            "masked": np.ma.count_masked(PACKED),
            "nan": 0,
            "mean": PACKED.mean(),
            "std": PACKED.std(),
            "min": PACKED.min(),
            "max": PACKED.max(),
        }
    )
    assert (found["masked"], found["dims"], found["stored_dtype"]) == (True, ["time", "x"], "int16")


def test_raw_values(run_stats):
    found = run_stats("packed.nc::tos", "--raw", "--json")["statistics"]
    assert (found["min"], found["masked"]) == (-99, 0)


def test_text_output(run_stats):
    lines = [line.split() for line in run_stats("packed.nc::tos").splitlines()]
    assert lines[0][1:] == ["tos"]
    words = dict(line[:2] for line in lines[1:])
    assert (words["count"], words["masked"], words["min"]) == ("41", "19", "0")
    assert "2 more" in run_stats("part0.h5::t", "part*.h5::t").splitlines()[0]


@pytest.mark.parametrize(("axis", "axes"), [("0", 0), ("0,2", (0, 2)), ("-1", 2)])
def test_statistics_along_axes(axis, axes, run_stats):
    found = run_stats("part*.h5::t", f"--axis={axis}", "--json")
    mean = np.nanmean(NUMBERS.astype("f8"), axis=axes)
    summary = found["statistics"]["mean"]
    assert (summary.pop("shape"), summary.pop("dtype")) == (list(mean.shape), "float64")
    assert summary == pytest.approx({"min": mean.min(), "mean": mean.mean(), "max": mean.max()})
    counts = (~np.isnan(NUMBERS)).sum(axis=axes)
    assert found["statistics"]["count"]["min"] == counts.min()
    assert found["statistics"]["nan"]["max"] == np.isnan(NUMBERS).sum(axis=axes).max()


def test_axis_by_name(run_stats):
    by_name, by_number = (
        run_stats("packed.nc", "--axis", axis, "--json") for axis in ("time", "0")
    )
    assert by_name["statistics"] == by_number["statistics"]
    assert by_name["axis"] == [0]
    assert "5, from" in run_stats("packed.nc", "--axis", "time")


@pytest.mark.parametrize("out", ["out.nc", "out.zarr", "out.h5"])
def test_results_are_written(out, run_stats):
    arguments = ["packed.nc", "--axis", "time", "--statistics", "mean,max", "--json"]
    assert run_stats(*arguments, "-o", out)["statistics"]["mean"]["shape"] == [5]
    for name, expected in (
        ("mean", PACKED.mean(axis=0)),
        ("max", PACKED.max(axis=0)),
        ("count", PACKED.count(axis=0)),
    ):
        values = biggus.open(out, name).masked_array()
        assert np.ma.allclose(values, expected)
        assert np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))


def test_one_result_is_written_as_npy(run_stats, refused):
    assert "written to" in run_stats(
        "part*.h5::t", "--axis", "1", "--statistics", "median", "-o", "out.npy"
    )
    assert np.array_equal(np.load("out.npy"), np.nanmedian(NUMBERS, axis=1))
    assert "--overwrite" in refused(
        "part0.h5::t", "--axis", "1", "--statistics", "mean", "-o", "out.npy"
    )
    assert "holds one array" in refused("part0.h5::t", "-o", "other.npy", code=2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full(3, np.nan), {"count": 0, "nan": 3, "mean": None, "min": None, "max": None}),
        (np.zeros((0, 3)), {"count": 0, "nan": 0, "masked": 0, "mean": None, "std": None}),
        (np.array([1.0, np.inf]), {"mean": "inf", "max": "inf", "min": 1.0, "std": None}),
        (np.array([3, 4j]), {"mean": [1.5, 2.0], "nan": 0}),
        (np.array([True, False]), {"mean": 0.5, "min": False, "max": True, "nan": 0}),
        (np.array(2**60 + 1), {"count": 1, "min": 2**60 + 1, "std": 0.0}),
        (np.array([250, 251], "u1"), {"mean": 250.5, "max": 251}),
    ],
)
def test_values_of_many_dtypes(values, expected, run_stats):
    found = run_stats(zarr_of(values), "--json")["statistics"]
    assert {name: found.get(name, "?") for name in expected} == expected


def test_dates_have_extremes_but_no_mean(run_stats, refused):
    zarr_of(np.array(["2001-02-03", "NaT", "1999-12-31"], "M8[D]"))
    found = run_stats("a.zarr", "--json")["statistics"]
    assert found == {
        "count": 2,
        "masked": 0,
        "nan": 1,
        "min": "1999-12-31",
        "max": "2001-02-03",
    }
    assert "cannot compute mean of datetime64" in refused("a.zarr", "--statistics", "min,mean")


def test_strings_are_counted(run_stats):
    with h5py.File("words.h5", "w") as file:
        file["words"] = np.array(["one", "two"], dtype=h5py.string_dtype())
    found = run_stats("words.h5", "--json")["statistics"]
    assert found == {"count": 2, "masked": 0, "nan": 0}


def test_statistics_in_little_memory(run_stats):
    values = RNG.random((400, 5000))
    zarr_of(values, chunks=(20, 1000))
    found = run_stats("a.zarr", "--memory", "60 MB", "--workers", "2", "--json")["statistics"]
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-13)
    assert found["std"] == pytest.approx(values.std(), rel=1e-13)


def test_cached_results_are_reused(run_stats, settled, capsys, monkeypatch):
    arguments = ["part*.h5::t", "--json", "--cache", "cache"]
    first = run_stats(*arguments)["statistics"]

    def read(*_):
        raise AssertionError("something is read")

    for method in ("__getitem__", "stream"):
        monkeypatch.setattr(HDF5Source, method, read)
    assert run_stats(*arguments)["statistics"] == first
    assert main(["stats", "part0.h5::dates"]) == 1
    assert "something is read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["part0.h5"], 1, "it has: dates, t"),
        (["part0.h5::u"], 1, "no variable 'u'"),
        (["none*.h5::t"], 1, "no file matches"),
        (["none.h5::t"], 1, "none.h5"),
        (["part0.h5::t", "part6.h5::dates", "packed.nc"], 2, "name the variable"),
        (["part0.h5::t", "packed.nc::tos"], 1, "--join-mismatch ignore joins"),
        (["part*.h5::t", "--join-axis", "3"], 1, "cannot join"),
        (["part*.h5::t", "--axis", "3"], 1, "--axis 3: axis 3 is out of bounds"),
        (["part*.h5::t", "--axis", "time"], 1, "does not know the names of its axes"),
        (["packed.nc", "--axis", "y"], 1, "there are time, x"),
        (["packed.nc", "--axis", "tim"], 1, "did you mean 'time'?"),
        (["packed.nc", "--axis", "0,time"], 1, "repeated axis"),
        (["packed.nc", "--axis", ""], 1, "no axis named ''"),
        (["packed.nc", "--statistics", "mode"], 2, "no statistic 'mode'"),
        (["packed.nc", "--statistics", ""], 2, "no statistic ''"),
        (["packed.nc", "--statistics", "mena"], 2, "did you mean 'mean'"),
        (["packed.nc", "--memory", "much"], 2, "not a size"),
        (["packed.nc", "--workers", "0"], 2, "workers"),
        (["part0.h5::t", "--memory", "10"], 1, "allow more with --memory"),
        (["packed.nc", "-o", "out.tiff"], 1, "out.tiff"),
        (["packed.nc", "-o", "no/out.nc"], 1, "no folder"),
        (["packed.nc", "-o", "packed.nc", "--force"], 1, "packed.nc"),
    ],
)
def test_invalid_arguments(arguments, code, message, refused, tmp_path):
    assert message in refused(*arguments, code=code)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "packed.nc",
        "part0.h5",
        "part6.h5",
    ]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.ma.masked, None),
        (np.datetime64("NaT", "s"), None),
        (np.timedelta64(3, "s"), "3 seconds"),
        (-np.inf, "-inf"),
        (complex(np.inf, 1), ["inf", 1.0]),
        (np.float32(0.5), 0.5),
    ],
)
def test_numbers_in_json(value, plain):
    assert plain_number(value) == plain
