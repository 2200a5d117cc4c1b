"""Recording and replaying: a program runs again on its recorded inputs alone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import OutputError, StudyError
from biggus.study.bundle import Bundle

PROGRAM = """
import numpy as np
import biggus

a = biggus.open("data/a.npy")
print(a.mean().ndarray(), a[1, ::2].ndarray().tolist())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    np.save("data/a.npy", np.arange(12.0).reshape(3, 4))
    return tmp_path


def recorded(program, path="study.biggus"):
    with biggus.record(path) as study:
        values = program()
    assert study.receipt == Bundle(path).receipt
    return values


def test_program_replays_on_its_recorded_inputs(folder):
    def program():
        a = biggus.open("data/a.npy")
        return [a.mean().ndarray(), a[1, ::2].ndarray(), a[...].ndarray()]

    values = recorded(program)
    Path("data/a.npy").unlink()
    with biggus.replay("study.biggus"):
        again = program()
    for one, other in zip(values, again, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_bundle_holds_only_chunks_that_were_read(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File("b.h5", "w") as file:
        file.create_dataset("x", data=np.arange(1000.0).reshape(10, 100), chunks=(3, 40))

    def program():
        return biggus.open("b.h5", "x")[:4, ::50].ndarray()

    values = recorded(program)
    bundle = Bundle("study.biggus")
    (held,) = bundle.sources.values()
    assert sorted(held.chunks) == [
        ((0, 3), (0, 40)),
        ((0, 3), (40, 80)),
        ((3, 6), (0, 40)),
        ((3, 6), (40, 80)),
    ]
    Path("b.h5").unlink()
    with biggus.replay("study.biggus"):
        np.testing.assert_array_equal(program(), values)
        with pytest.raises(StudyError, match=r"b\.h5::x \[0:3, 80:100\] is not in .*study\.biggus"):
            biggus.open("b.h5", "x")[0, 99].ndarray()


def test_replay_in_another_folder_and_process(folder, tmp_path_factory):
    (folder / "study.py").write_text(PROGRAM)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    wanted = subprocess.run(
        [sys.executable, "study.py"], env=env, capture_output=True, text=True, check=True
    ).stdout
    recorded(lambda: exec(PROGRAM, {"print": lambda *_: None}))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "study.biggus").rename(elsewhere / "copy.biggus")
    (folder / "data/a.npy").unlink()
    without = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a socket')\n"
        "socket.socket.__init__ = refuse\n"
    )
    (elsewhere / "study.py").write_text(without + PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "error", "study.py"],
        cwd=elsewhere,
        env={**env, "BIGGUS_REPLAY": str(elsewhere / "copy.biggus")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (wanted, "")


def test_exception_leaves_no_file(folder):
    with pytest.raises(IndexError), biggus.record("study.biggus"):
        biggus.open("data/a.npy")[:2].ndarray()[5]
    assert [path.name for path in folder.iterdir()] == ["data"]
    assert "BIGGUS_RECORD" not in os.environ
    recorded(lambda: None)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "study.biggus"]


def test_overwrite_replaces_an_existing_bundle(folder):
    recorded(lambda: None)
    with pytest.raises(OutputError, match="it is there already; `overwrite=True` replaces it"):
        biggus.record("study.biggus").__enter__()
    with biggus.record("study.biggus", overwrite=True):
        biggus.open("data/a.npy").ndarray()
    assert Bundle("study.biggus").chunks == 1


def test_nested_studies_raise(folder):
    recorded(lambda: None)
    with biggus.record("one.biggus"):
        for other in (biggus.record("two.biggus"), biggus.replay("study.biggus")):
            with pytest.raises(StudyError, match="already"), other:
                pass
    assert not Path("two.biggus").exists()


def test_recording_twice_gives_identical_files(folder):
    def program():
        a = biggus.open("data/a.npy")
        return (a - a.mean(axis=0)).std().ndarray()

    recorded(program, "one.biggus")
    recorded(program, "two.biggus")
    assert Path("one.biggus").read_bytes() == Path("two.biggus").read_bytes()


def test_incompressible_chunks_are_stored_uncompressed(folder):
    np.save("noise.npy", np.random.default_rng(3).integers(0, 256, 10_000, "u1"))
    np.save("zeros.npy", np.zeros(10_000, "u1"))
    recorded(lambda: [biggus.open(f"{name}.npy").ndarray() for name in ("noise", "zeros")])
    with zipfile.ZipFile("study.biggus") as file:
        sizes = sorted(each.compress_size for each in file.infolist() if each.file_size > 10_000)
    assert sizes[0] < 500
    assert sizes[1] >= 10_000
    Bundle("study.biggus").check()
