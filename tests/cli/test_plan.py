"""`biggus plan`: the reads and the memory of `biggus stats`, without reading."""

import json

import pytest

from biggus.backends.hdf5.source import HDF5Source
from biggus.cli import main

h5py = pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        with h5py.File(f"{name}.h5", "w") as file:
            file.create_dataset("v", (5000, 2000), "f4", chunks=(100, 2000), compression="gzip")
            file["w"] = 1


@pytest.fixture
def run_plan(capsys):
    def run(*arguments):
        code = main(["plan", *arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        return json.loads(captured.out) if "--json" in arguments else captured.out

    return run


def test_each_value_is_read_once(run_plan):
    found = run_plan("?.h5::v", "--json")
    assert found["shape"] == [10_000, 2000]
    assert found["statistics"] == ["count", "nan", "mean", "std", "min", "max"]
    plan = found["plan"]
    assert plan["read_bytes"] == 10_000 * 2000 * 4
    assert len(plan["passes"]) == 1
    assert plan["passes"][0]["times_read"] == 1
    assert plan["cached_bytes"] == 0


def test_plan_respects_the_memory_option(run_plan):
    much, little = (
        run_plan("a.h5::v", "--memory", memory, "--workers", "4", "--json")["plan"]
        for memory in ("1 GB", "40 MB")
    )
    assert little["peak_bytes"] <= 40_000_000 < much["peak_bytes"]
    assert little["read_bytes"] == much["read_bytes"]


def test_text_output(run_plan):
    text = run_plan("a.h5::v", "--statistics", "median", "--axis", "0")
    assert "a.h5  v\n" in text
    assert "5000 x 2000" in text
    assert "count, nan, median" in text
    assert "pass 1" in text


def test_plan_reads_nothing(run_plan, monkeypatch):
    def read(*_):
        raise AssertionError("something is read")

    for method in ("__getitem__", "stream"):
        monkeypatch.setattr(HDF5Source, method, read)
    run_plan("?.h5::v")


def test_cached_results_are_not_counted(run_plan, capsys, settled):
    assert main(["stats", "a.h5::v", "--cache", "cache"]) == 0
    capsys.readouterr()
    plan = run_plan("a.h5::v", "--cache", "cache", "--json")["plan"]
    assert (plan["requests"], plan["read_bytes"]) == (0, 0)
    assert plan["passes"][0]["kept_blocks"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.h5"], 1, "it has: v, w"),
        (["a.h5::v", "b.h5::w"], 1, "cannot join"),
        (["a.h5::v", "--statistics", "mean,mode"], 2, "no statistic 'mode'"),
        (["a.h5::v", "--axis", "2"], 1, "axis 2 is out of bounds"),
        (["a.h5::v", "--memory", "1 kB"], 1, "memory"),
        (["a.h5::v", "-o", "b.nc"], 2, "unrecognized"),
        ([], 2, "required"),
    ],
)
def test_invalid_arguments(arguments, code, message, capsys):
    assert main(["plan", *arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
