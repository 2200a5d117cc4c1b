"""`biggus save`: a variable of any location, streamed into a new store."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.cli import main

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

COMMAND = [sys.executable, "-m", "biggus"]

NUMBERS = np.arange(6 * 5 * 4, dtype="i4").reshape(6, 5, 4)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with h5py.File("in.h5", "w") as file:
        file["group/numbers"] = NUMBERS
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("t", "i2", ("x",), fill_value=-99)
        variable.scale_factor, variable.units = 0.5, "K"
        variable[...] = np.ma.masked_equal([1.0, 2.5, 7.0, 3.0], 7)


def there():
    return sorted(path.name for path in Path().iterdir())


def saved(capsys, *arguments):
    code = main(["save", *arguments])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def failed(capsys, *arguments):
    code = main(["save", *arguments])
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return code, said


@pytest.mark.parametrize("output", ["o.zarr", "o.nc", "o.h5"])
def test_a_packed_fill_value_that_is_a_value_unpacked(capsys, output):
    with netCDF4.Dataset("packed.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("v", "i2", ("x",), fill_value=0)
        variable.scale_factor, variable.add_offset = 0.5, -1.0
        variable.set_auto_maskandscale(False)
        variable[...] = [0, 2, 4, 1]
    saved(capsys, "packed.nc::v", output)
    name = None if output == "o.zarr" else "v"
    assert biggus.open(output, name).masked_array().tolist() == [None, 0.0, 1.0, -0.5]


@pytest.mark.parametrize(("dtype", "wider"), [("uint8", "int16"), ("uint16", "int32")])
def test_what_is_said_to_help_helps(capsys, dtype, wider):
    every = np.arange(np.iinfo(dtype).max + 1)
    with h5py.File("full.h5", "w") as file:
        file["v"] = np.append(every, -1).astype("i4")
        file["v"].attrs["_FillValue"] = np.int32(-1)
    code, said = failed(capsys, "full.h5::v", "o.nc", "--dtype", dtype)
    assert code == 1
    assert f"every value of dtype {dtype}" in said
    assert "biggus save --dtype" in said
    assert "o.nc" not in there()
    saved(capsys, "full.h5::v", "o.nc", "--dtype", wider)
    got = biggus.open("o.nc", "v")
    assert got.dtype == wider
    assert got.masked_array().compressed().tolist() == every.tolist()


def test_a_dtype_that_is_none(capsys):
    code, said = failed(capsys, "in.h5::group/numbers", "o.zarr", "--dtype", "int17")
    assert code == 2
    assert "'int17' is not a dtype of NumPy" in said


@pytest.mark.parametrize(
    ("output", "name"),
    [("o.zarr", None), ("o.zarr::a/b", "a/b"), ("o.h5", "numbers"), ("o.nc::n", "n")],
)
def test_a_variable(capsys, output, name):
    said = saved(capsys, "in.h5::group/numbers", output)
    assert said.startswith("o.")
    assert "shape (6, 5, 4), int32" in said
    assert np.array_equal(biggus.open(output.partition("::")[0], name).ndarray(), NUMBERS)


def test_the_only_variable_need_not_be_named(capsys):
    saved(capsys, "in.h5", "o.npy")
    assert np.array_equal(np.load("o.npy"), NUMBERS)


def test_names_missing_values_and_attributes_are_kept(capsys):
    saved(capsys, "in.nc::t", "o.zarr")
    array = biggus.open("o.zarr")
    assert array.masked_array().tolist() == [1.0, 2.5, None, 3.0]
    told = {"units": "K", "_ARRAY_DIMENSIONS": ["x"]}
    stored = zarr.open_group("o.zarr", mode="r")["t"]
    assert dict(stored.attrs) == {**told, "scale_factor": 0.5}
    assert stored.dtype == np.int16
    saved(capsys, "in.nc::t", "o.zarr", "--dtype", "float64", "--overwrite")
    assert biggus.open("o.zarr").masked_array().tolist() == [1.0, 2.5, None, 3.0]
    assert dict(zarr.open_group("o.zarr", mode="r")["t"].attrs) == told


def test_raw_values(capsys):
    saved(capsys, "in.nc::t", "o.nc", "--raw")
    with netCDF4.Dataset("o.nc") as dataset:
        assert dataset["t"][...].tolist() == [1.0, 2.5, None, 3.0]
        assert dataset["t"].dtype == np.int16


@pytest.mark.parametrize("flag", ["--overwrite", "--force"])
def test_nothing_is_replaced_unasked(capsys, flag):
    saved(capsys, "in.h5", "o.npy")
    code, said = failed(capsys, "in.nc", "o.npy")
    assert code == 1
    assert "--overwrite" in said
    saved(capsys, "in.nc", "o.npy", flag)
    assert np.array_equal(np.load("o.npy"), [1.0, 2.5, np.nan, 3.0], equal_nan=True)


def test_the_input_is_never_the_output(capsys):
    code, said = failed(capsys, "in.h5", "in.h5::group/numbers", "--force")
    assert code == 1
    assert "one of the inputs" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["in.h5"], 2),
        (["in.h5", "o.zarr", "--memory", "none"], 2),
        (["in.h5", "o.zarr", "--workers", "0"], 2),
        (["in.h5", "o.tiff"], 1),
        (["in.h5::nothing", "o.zarr"], 1),
        (["nothing.h5", "o.zarr"], 1),
        (["in.h5", "no/o.zarr"], 1),
    ],
)
def test_what_makes_no_sense(capsys, arguments, code):
    assert failed(capsys, *arguments)[0] == code
    assert there() == ["in.h5", "in.nc"]


def test_options_may_stand_before_the_output(capsys):
    saved(capsys, "in.h5", "--memory", "50 MB", "--workers", "2", "o.npy")
    assert np.array_equal(np.load("o.npy"), NUMBERS)


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize("name", ["o.npy", "o.nc", "o.zarr", "o.h5"])
def test_a_full_disk_leaves_nothing(name):
    import resource

    with h5py.File("noise.h5", "w") as file:
        file["noise"] = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype="u1")
    done = subprocess.run(
        [*COMMAND, "save", "noise.h5::noise", name],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("biggus")]
    assert said.startswith("biggus: error: cannot write")
    assert "Traceback" not in done.stderr
    assert there() == ["in.h5", "in.nc", "noise.h5"]


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_stopped_in_the_middle_nothing_stays(name, code):
    # A server that never answers keeps the command in the middle of its work.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        template = f"http://127.0.0.1:{silent.getsockname()[1]}/{{z}}/{{x}}/{{y}}.png"
        process = subprocess.Popen(
            [*COMMAND, "save", template, "--zoom", "3", "o.npy", "--no-cache"],
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(30)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(getattr(signal, name))
            _, said = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in said
    assert there() == ["in.h5", "in.nc"]
