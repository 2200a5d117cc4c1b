"""What errors say of output that the system refuses to write."""

import os
import subprocess
import sys
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
