"""What errors say of output that the system refuses to write."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import biggus
from biggus.errors import OutputError
from biggus.sinks import placing

LIMITED = """
import resource, sys
import biggus
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for target in sys.argv[1:]:
    try:
        biggus.save(biggus.ones((100, 1000)), target, compression=False)
    except biggus.BiggusError as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of processes")
def test_refusal_of_the_system_is_its_text_alone(tmp_path):
    for package in ("h5py", "netCDF4", "zarr"):
        pytest.importorskip(package)
    targets = ["a.npy", "a.h5::v", "a.nc::v", "a.zarr::v"]
    # -B: modules that Python compiles under the limit would be cut off at it.
    command = [sys.executable, "-B", "-c", LIMITED, *targets]
    done = subprocess.run(
        command, check=True, cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(targets)
    for line, target in zip(lines, targets, strict=True):
        assert line.startswith(f"cannot write {tmp_path / target.partition('::')[0]}")
        assert "partial" not in line
        if ".nc" not in target:  # the netCDF library gives no reason
            assert line.endswith(": File too large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "told"), [(0, True), (2**10, True), (2**30, False)])
def test_failure_on_a_nearly_full_disk_tells_the_room(free, told, tmp_path, monkeypatch):
    usage = SimpleNamespace(total=2**40, used=2**40 - free, free=free)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    where = tmp_path / "out.nc"

    def fail():
        with placing.replacing(where):
            raise OutputError(f"cannot write {where}: NetCDF: HDF error")

    with pytest.raises(OutputError, match="HDF error") as caught:
        fail()
    room = f"; only {biggus.options.format_bytes(free)} are free on the disk of {tmp_path}"
    assert str(caught.value).endswith(room if told else "HDF error")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
def test_values_that_the_disk_has_no_room_for_take_none(tmp_path, monkeypatch):
    room = SimpleNamespace(f_bavail=3, f_frsize=4096)
    monkeypatch.setattr(os, "fstatvfs", lambda file: room)
    monkeypatch.setattr(os, "posix_fallocate", lambda *arguments: pytest.fail("it was allocated"))
    reason = r"out.npy: No space left on device; only .* are free on the disk of "
    with pytest.raises(OutputError, match=reason):
        biggus.save(biggus.zeros(12289, "u1"), tmp_path / "out.npy")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals to threads")
def test_nothing_is_left_of_a_store_whose_creation_is_interrupted(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    create, removed = zarr.create_array, threading.Event()

    def slow(**how):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        removed.wait(0.05)  # a store that is removed before the end of this call is made again
        return create(**how)

    def remove(path):
        removed.set()
        unpatched(path)

    unpatched = placing._remove
    monkeypatch.setattr(zarr, "create_array", slow)
    monkeypatch.setattr(placing, "_remove", remove)
    with pytest.raises(KeyboardInterrupt):
        biggus.save(biggus.ones((4, 5)), tmp_path / "a.zarr")
    assert removed.is_set()
    assert list(tmp_path.iterdir()) == []
