"""The HDF5 backend: claims by content and by name, options, and logging."""

import logging
import os

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

import biggus
from biggus.backends import Backend, Location, backend_for, backend_named
from biggus.backends.hdf5.backend import HDF5Backend, HDF5Source
from biggus.errors import OpenError
from biggus.sources.base import read, whole

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")


@pytest.mark.parametrize("block", [0, 512, 1024, 8192])
def test_claims_by_content_behind_user_blocks(tmp_path, block):
    path = tmp_path / "data.bin"
    with h5py.File(path, "w", userblock_size=block) as file:
        file["v"] = np.arange(3)
    with path.open("r+b") as raw:
        raw.write(b"#!" if block else b"")
    location = Location(path)
    assert HDF5Backend().claims(location) == Backend.BY_CONTENT
    assert backend_for(location).name == "hdf5"
    source = backend_for(location).open(location, "v")
    assert read(source, whole((3,))).tolist() == [0, 1, 2]


def test_claims_by_suffix_and_declines(tmp_path):
    claims = HDF5Backend().claims
    for name, content, claim in [
        ("a.h5", b"", Backend.BY_SUFFIX),
        ("a.HDF5", b"garbage", Backend.BY_SUFFIX),
        ("a.he5", b"x" * 70000, Backend.BY_SUFFIX),
        ("a.txt", b"x" * 70000, Backend.UNCLAIMED),
        ("b.txt", b"x" * 100 + b"\x89HDF\r\n\x1a\n", Backend.UNCLAIMED),
    ]:
        (tmp_path / name).write_bytes(content)
        assert claims(Location(tmp_path / name)) == claim
    assert claims(Location(tmp_path)) == Backend.UNCLAIMED
    assert claims(Location("https://host/a.h5")) == Backend.UNCLAIMED
    assert backend_named("hdf5").name == "hdf5"


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("gone.h5", Backend.BY_SUFFIX),
        ("gone.txt", Backend.UNCLAIMED),
        ("file.txt/gone.h5", Backend.BY_SUFFIX),
        ("pipe.h5", Backend.BY_SUFFIX),
        ("~nobody-of-that-name/a.h5", Backend.UNCLAIMED),
        ("file://elsewhere/a.h5", Backend.UNCLAIMED),
    ],
)
def test_claims_never_raise(tmp_path, monkeypatch, text, claim):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("text")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
    elif text == "pipe.h5":
        pytest.skip("there are no named pipes")
    assert HDF5Backend().claims(Location(text)) == claim
    with pytest.raises(OpenError):
        biggus.open(text, "v")


def test_unknown_options_raise(tmp_path):
    with pytest.raises(TypeError, match="zoom"):
        HDF5Backend().open(Location(tmp_path / "a.h5"), "v", zoom=3)
    with pytest.raises(TypeError, match="zoom"):
        HDF5Backend().variables(Location(tmp_path / "a.h5"), zoom=3)


def test_reads_are_logged(tmp_path, caplog):
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file["v"] = np.arange(3)
    with caplog.at_level(logging.DEBUG, logger="biggus"):
        read(HDF5Source(path, "v"), whole((3,)))
    assert any("read" in message and "v [0:3]" in message for message in caplog.messages)
