"""Finding backends by name, location and object."""

import subprocess
import sys

import numpy as np
import pytest

import biggus
from biggus.backends import Backend, Location, adopt, backend_for, backend_named, backend_names
from biggus.errors import BiggusError, GoneError, OpenError, OptionError

BUILT_IN = {"hdf5", "netcdf", "npy", "tiles", "zarr"}


def test_built_in_backends_are_found():
    assert set(backend_names()) >= BUILT_IN
    for name in BUILT_IN:
        backend = backend_named(name)
        assert isinstance(backend, Backend)
        assert backend.name == name
        assert backend_named(name) is backend


def test_unknown_backend_names_raise():
    with pytest.raises(OptionError, match=r"did you mean 'hdf5'.*installed: .*zarr"):
        backend_named("hdf")
    with pytest.raises(OptionError, match="no backend 'qqq'"):
        backend_named("qqq")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda d: d / "missing.xyz", GoneError, "no such file"),
        (lambda d: d / "missing", GoneError, "no such file"),
        (lambda d: write_file(d, "a.xyz", b"garbage"), OpenError, "no backend knows its format"),
        *(
            (lambda d, name=name, text=text: write_file(d, name, text), OpenError, message)
            for name in ("a.xyz", "a.npy", "a.nc", "a.h5", "a.zarr")
            for text, message in (
                (b"", "the file is empty"),
                (b"\n <!DOCTYPE HTML><html>404 Not Found", "a web page"),
                (b"<html><head></head></html>", "a web page"),
                (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
            )
        ),
        *(
            (
                lambda d, text=text: write_file(d, "a.xyz", text),
                OpenError,
                f"no backend reads {name}",
            )
            for text, name in ((b"GRIB\0\0\1\2", "GRIB"), (b"II*\0\x08", "TIFF"))
        ),
        (lambda d: d, OpenError, r"no store.*a pattern such as .*\*\.nc"),
        (lambda d: "gopher://host/a", OpenError, "gopher"),
    ],
)
def test_unknown_locations_raise(tmp_path, make, error, message):
    with pytest.raises(error, match=message) as caught:
        backend_for(Location(make(tmp_path)))
    assert isinstance(caught.value, BiggusError)
    assert "\n" not in str(caught.value)


def test_missing_file_with_a_known_suffix_raises_at_opening(tmp_path):
    pytest.importorskip("h5py")
    with pytest.raises(GoneError, match="no such file"):
        biggus.open(tmp_path / "missing.h5", "v")


def write_file(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def test_unknown_objects_are_not_adopted():
    class Mine:
        shape, dtype = (2,), np.dtype("f8")

    assert adopt(Mine()) is None
    assert adopt(object()) is None
    assert adopt(3) is None


def test_subclasses_of_library_objects_are_adopted(tmp_path):
    h5py = pytest.importorskip("h5py")

    class MyDataset(h5py.Dataset):
        pass

    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("v", data=np.arange(3))
        source = adopt(MyDataset(data.id))
        assert source is not None
        assert source.shape == (3,)


BROKEN = """
import sys
sys.path.insert(0, sys.argv[1])
import h5py
from biggus.backends import Location, adopt, backend_for, backend_named
from biggus.errors import OptionError
path = sys.argv[1] + "/a.h5"
with h5py.File(path, "w") as file:
    file["v"] = 1
print(backend_for(Location(path)).name)
for name in ("broken", "wrong", "rude"):
    try:
        backend_named(name)
    except OptionError as error:
        print(error)
print(adopt(h5py.File(path)["v"]).shape)
"""


def test_broken_plugins_do_not_affect_others(tmp_path):
    pytest.importorskip("h5py")
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[biggus.backends]\n"
        "broken = not_there:Backend\nwrong = brokenplugin:Wrong\nrude = brokenplugin:Rude\n"
    )
    (tmp_path / "brokenplugin.py").write_text(
        "from biggus.backends.base import Backend\n"
        "class Wrong: pass\n"
        "class Rude(Backend):\n"
        "    name = 'rude'\n"
        "    def claims(self, location): raise ZeroDivisionError\n"
        "    def variables(self, location): return ()\n"
        "    def open(self, location, variable): raise NotImplementedError\n"
    )
    command = [sys.executable, "-c", BROKEN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "hdf5"
    assert "'broken' (not_there:Backend) does not load" in lines[1]
    assert "'wrong' (brokenplugin:Wrong) is not a biggus Backend" in lines[2]
    assert lines[-1] == "()"
    assert "rude" in done.stderr
