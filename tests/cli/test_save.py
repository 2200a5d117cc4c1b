"""`biggus save`: copies a variable of any location into a new store."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from file_size import file_size_limit

import biggus
from biggus.cli import main

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

COMMAND = [sys.executable, "-m", "biggus"]

NUMBERS = np.arange(6 * 5 * 4, dtype="i4").reshape(6, 5, 4)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with h5py.File("in.h5", "w") as file:
        file["group/numbers"] = NUMBERS
    with netCDF4.Dataset("in.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("t", "i2", ("x",), fill_value=-99)
        variable.scale_factor, variable.units = 0.5, "K"
        variable[...] = np.ma.masked_equal([1.0, 2.5, 7.0, 3.0], 7)


def folder_contents():
    return sorted(path.name for path in Path().iterdir())


def run_save(capsys, *arguments):
    code = main(["save", *arguments])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def run_failing_save(capsys, *arguments):
    code = main(["save", *arguments])
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return code, message


@pytest.mark.parametrize("output", ["o.zarr", "o.nc", "o.h5"])
def test_packed_fill_value_that_unpacks_to_a_valid_number(capsys, output):
    with netCDF4.Dataset("packed.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        variable = dataset.createVariable("v", "i2", ("x",), fill_value=0)
        variable.scale_factor, variable.add_offset = 0.5, -1.0
        variable.set_auto_maskandscale(False)
        variable[...] = [0, 2, 4, 1]
    run_save(capsys, "packed.nc::v", output)
    name = None if output == "o.zarr" else "v"
    assert biggus.open(output, name).masked_array().tolist() == [None, 0.0, 1.0, -0.5]


@pytest.mark.parametrize(("dtype", "wider"), [("uint8", "int16"), ("uint16", "int32")])
def test_suggested_dtype_option_works(capsys, dtype, wider):
    every = np.arange(np.iinfo(dtype).max + 1)
    with h5py.File("full.h5", "w") as file:
        file["v"] = np.append(every, -1).astype("i4")
        file["v"].attrs["_FillValue"] = np.int32(-1)
    code, message = run_failing_save(capsys, "full.h5::v", "o.nc", "--dtype", dtype)
    assert code == 1
    assert f"every value of dtype {dtype}" in message
    assert "biggus save --dtype" in message
    assert "o.nc" not in folder_contents()
    run_save(capsys, "full.h5::v", "o.nc", "--dtype", wider)
    got = biggus.open("o.nc", "v")
    assert got.dtype == wider
    assert got.masked_array().compressed().tolist() == every.tolist()


def test_unknown_dtype(capsys):
    code, message = run_failing_save(capsys, "in.h5::group/numbers", "o.zarr", "--dtype", "int17")
    assert code == 2
    assert "'int17' is not a dtype of NumPy" in message


@pytest.mark.parametrize(
    ("output", "name"),
    [("o.zarr", None), ("o.zarr::a/b", "a/b"), ("o.h5", "numbers"), ("o.nc::n", "n")],
)
def test_saves_a_variable(capsys, output, name):
    message = run_save(capsys, "in.h5::group/numbers", output)
    assert message.startswith("o.")
    assert "shape (6, 5, 4), int32" in message
    assert np.array_equal(biggus.open(output.partition("::")[0], name).ndarray(), NUMBERS)


def test_only_variable_need_not_be_named(capsys):
    run_save(capsys, "in.h5", "o.npy")
    assert np.array_equal(np.load("o.npy"), NUMBERS)


def test_names_missing_values_and_attributes_are_kept(capsys):
    run_save(capsys, "in.nc::t", "o.zarr")
    array = biggus.open("o.zarr")
    assert array.masked_array().tolist() == [1.0, 2.5, None, 3.0]
    attributes = {"units": "K", "_ARRAY_DIMENSIONS": ["x"]}
    stored = zarr.open_group("o.zarr", mode="r")["t"]
    assert dict(stored.attrs) == {**attributes, "scale_factor": 0.5}
    assert stored.dtype == np.int16
    run_save(capsys, "in.nc::t", "o.zarr", "--dtype", "float64", "--overwrite")
    assert biggus.open("o.zarr").masked_array().tolist() == [1.0, 2.5, None, 3.0]
    assert dict(zarr.open_group("o.zarr", mode="r")["t"].attrs) == attributes


def test_raw_values(capsys):
    run_save(capsys, "in.nc::t", "o.nc", "--raw")
    with netCDF4.Dataset("o.nc") as dataset:
        assert dataset["t"][...].tolist() == [1.0, 2.5, None, 3.0]
        assert dataset["t"].dtype == np.int16


@pytest.mark.parametrize("flag", ["--overwrite", "--force"])
def test_existing_output_needs_overwrite(capsys, flag):
    run_save(capsys, "in.h5", "o.npy")
    code, message = run_failing_save(capsys, "in.nc", "o.npy")
    assert code == 1
    assert "--overwrite" in message
    run_save(capsys, "in.nc", "o.npy", flag)
    assert np.array_equal(np.load("o.npy"), [1.0, 2.5, np.nan, 3.0], equal_nan=True)


def test_input_is_never_replaced(capsys):
    code, message = run_failing_save(capsys, "in.h5", "in.h5::group/numbers", "--force")
    assert code == 1
    assert "one of the inputs" in message


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
def test_invalid_arguments(capsys, arguments, code):
    assert run_failing_save(capsys, *arguments)[0] == code
    assert folder_contents() == ["in.h5", "in.nc"]


def test_options_before_the_output(capsys):
    run_save(capsys, "in.h5", "--memory", "50 MB", "--workers", "2", "o.npy")
    assert np.array_equal(np.load("o.npy"), NUMBERS)


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize("name", ["o.npy", "o.nc", "o.zarr", "o.h5"])
def test_file_size_limit_leaves_no_files(name):
    with h5py.File("noise.h5", "w") as file:
        file["noise"] = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype="u1")
    done = subprocess.run(
        [*COMMAND, "save", "noise.h5::noise", name],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        **file_size_limit(50_000),
    )
    assert done.returncode == 1
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("biggus")]
    assert message.startswith("biggus: error: cannot write")
    assert "Traceback" not in done.stderr
    assert folder_contents() == ["in.h5", "in.nc", "noise.h5"]


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_save_leaves_no_files(name, code):
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
            _, message = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in message
    assert folder_contents() == ["in.h5", "in.nc"]


def test_output_is_checked_before_the_input(capsys):
    code, message = run_failing_save(capsys, "no.nc", "t")
    assert code == 1
    assert "t: name it with one of .h5" in message
