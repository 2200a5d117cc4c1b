"""The commands record, replay, verify and diff."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import biggus
import biggus.testing
from biggus.cli import main
from biggus.study.bundle import Bundle

pytestmark = pytest.mark.machine

STUDY = """
import subprocess
import sys

import biggus
import biggus.testing

array = biggus.open("a.npy")
print(array[: int(sys.argv[1])].ndarray().tolist(), flush=True)
code = "import biggus; print(biggus.open('b.npy').sum().ndarray(), flush=True)"
subprocess.run([sys.executable, "-c", code], check=True)
"""


@pytest.fixture
def study(folder, monkeypatch):
    paths = [str(Path(biggus.__file__).parents[1]), *filter(None, sys.path)]
    monkeypatch.setenv(
        "PYTHONPATH", ":".join(paths) if sys.platform != "win32" else ";".join(paths)
    )
    np.save("a.npy", np.arange(5.0))
    np.save("b.npy", np.arange(4))
    Path("study.py").write_text(STUDY)
    return folder


def program(*arguments):
    return ["--", sys.executable, "study.py", *arguments]


def test_record_and_replay_a_program_with_subprocesses(study, capfd):
    assert main(["record", "-o", "s.biggus", *program("2")]) == 0
    recorded = capfd.readouterr()
    assert recorded.out == "[0.0, 1.0]\n6\n"
    receipt = Bundle("s.biggus").receipt
    summary = f"biggus: s.biggus: 2 chunks of 2 sources, 72 B; receipt {receipt}\n"
    assert recorded.err == summary
    Path("a.npy").unlink()
    Path("b.npy").unlink()
    assert main(["replay", "s.biggus", *program("2")]) == 0
    assert capfd.readouterr() == (recorded.out, "")
    assert main(["verify", "s.biggus"]) == 0
    assert receipt in capfd.readouterr().out


def test_failing_program(study, capfd):
    failing = ["--", sys.executable, "-c", "import sys; sys.exit(7)"]
    assert main(["record", *failing]) == 7
    assert capfd.readouterr().err == "biggus: the program failed; no file is written\n"
    assert not list(study.glob("*.biggus"))
    assert not list(study.glob(".*"))
    assert main(["record", *program("1")]) == 0
    assert main(["replay", "study.biggus", *failing]) == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_program(study, capfd):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert main(["record", "--", sys.executable, "-c", killed]) == 137


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["record"], 2, "after two dashes"),
        (["replay", "s.biggus"], 2, "after two dashes"),
        (["replay", "--", "true"], 2, "FILE"),
        (["replay", "no.biggus", "--", "true"], 1, "there is no study"),
        (["record", "-o", "no/s.biggus", "--", "true"], 1, "there is no folder"),
        (["record", "-o", "s.biggus", "--", "true"], 1, "--overwrite replaces it"),
        (["record", "python", "study.py"], 2, "a program follows two dashes: -- python study.py"),
        (["replay", "s.biggus", "python", "study.py"], 2, "two dashes"),
        (["verify", "."], 1, "Is a directory"),
        (["record", "--", "no-such-program"], 1, "cannot run no-such-program"),
        (["verify", "a.npy"], 1, "not a study"),
        (["diff", "s.biggus", "a.npy"], 1, "not a study"),
        (["diff", "s.biggus"], 2, "OTHER"),
    ],
)
def test_invalid_arguments_give_one_line_errors(study, capfd, arguments, code, message):
    with biggus.record("s.biggus"):
        pass
    assert main(arguments) == code
    captured = capfd.readouterr()
    assert captured.err.startswith("biggus: error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not list(study.glob(".*"))


def test_replay_of_a_program_with_other_inputs(study, capfd):
    assert main(["record", *program("2")]) == 0
    capfd.readouterr()
    other = ["--", sys.executable, "-c", "import biggus; biggus.open('c.npy')"]
    assert main(["replay", "study.biggus", *other]) == 1
    assert "c.npy is not in" in capfd.readouterr().err.splitlines()[-1]


def test_biggus_command_is_recorded(study, capfd):
    h5py = pytest.importorskip("h5py")
    with h5py.File("a.h5", "w") as file:
        file["x"] = np.arange(6.0)
        file["g/y"] = np.arange(3)
    for arguments in (["info", "a.h5"], ["get", "a.h5", "x[1:3]", "-o", "x.npy", "--force"]):
        command = ["--", sys.executable, "-m", "biggus", *arguments]
        assert main(["record", "--force", *command]) == 0
        recorded = capfd.readouterr().out
        Path("a.h5").rename("kept.h5")
        assert main(["replay", "study.biggus", *command]) == 0
        assert capfd.readouterr().out == recorded
        Path("kept.h5").rename("a.h5")
    assert np.load("x.npy").tolist() == [1, 2]


def test_verify_against_changed_sources(study, capfd):
    h5py = pytest.importorskip("h5py")
    with h5py.File("a.h5", "w") as file:
        data = np.arange(100.0).reshape(10, 10)
        file.create_dataset("x", data=data, chunks=(5, 5)).attrs["units"] = "K"
    with biggus.record("s.biggus"):
        biggus.open("a.h5", "x")[:5].ndarray()
        biggus.open("a.npy")[:2].ndarray()
        biggus.ArrayAdapter(biggus.testing.ArraySource(np.arange(3), token="own")).ndarray()
    capfd.readouterr()
    assert main(["verify", "s.biggus", "--against-sources"]) == 1
    out = capfd.readouterr().out
    assert "array in memory: only the recorded program can open it\n" in out
    assert out.count("\n") == 2
    with h5py.File("a.h5", "a") as file:
        file["x"][2, 7] = -1
        file["x"][7, 7] = -1  # outside the recorded chunks
        file["x"].attrs["units"] = "degC"
    Path("a.npy").unlink()
    assert main(["verify", "s.biggus", "--against-sources"]) == 1
    out = capfd.readouterr().out
    assert "a.h5::x [0:5, 5:10]: it has changed\n" in out
    assert "its attribute units was 'K', and is 'degC'\n" in out
    assert "a.npy::values: cannot open" in out
    assert out.count("\n") == 5


def test_verify_against_unchanged_sources(study, capfd):
    assert main(["record", *program("3")]) == 0
    assert main(["verify", "study.biggus", "--against-sources"]) == 0
    assert capfd.readouterr().out.endswith("  its sources are as they were\n")


def test_diff_of_studies(study, capfd):
    code = "import biggus; print(biggus.open('a.npy').ndarray())"
    assert main(["record", "-o", "one.biggus", *program("2")]) == 0
    assert main(["record", "-o", "two.biggus", *program("5")]) == 0
    assert main(["diff", "one.biggus", "two.biggus"]) == 0
    printed = capfd.readouterr().out
    assert printed.count("receipt") == 2
    assert printed.endswith("\n  the data that were read are the same\n")
    np.save("a.npy", np.arange(5.0) + 1)
    assert main(["record", "-o", "three.biggus", "--", sys.executable, "-c", code]) == 0
    capfd.readouterr()
    assert main(["diff", "one.biggus", "three.biggus"]) == 1
    lines = capfd.readouterr().out.splitlines()[2:]
    assert [line.rpartition("/")[2] for line in lines] == [
        "a.npy::values [0:5]: it has other values",
        "b.npy::values: only one.biggus has it",
        "  the data that were read differ",
    ]


def test_diff_matches_relative_paths_in_different_folders(study, tmp_path_factory, capfd):
    assert main(["record", *program("2")]) == 0
    other = tmp_path_factory.mktemp("other")
    for name in ("a.npy", "b.npy", "study.py"):
        shutil.copy(name, other)
    command = [sys.executable, "-m", "biggus", "record", *program("2")]
    subprocess.run(command, cwd=other, check=True)
    assert main(["diff", "study.biggus", str(other / "study.biggus")]) == 0
    assert capfd.readouterr().out.count("\n") == 7  # no finding
