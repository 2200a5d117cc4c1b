"""Datasets that are read by libhdf5."""

from __future__ import annotations

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("hypothesis")
from hdf5_direct import create, plist, same, values_of

from biggus.backends.hdf5.backend import HDF5Source
from biggus.backends.native import hdf5_lock
from biggus.sources.base import read, whole


def test_partial_edge_chunks_are_read_by_the_library(tmp_path) -> None:
    """A file may store partial edge chunks without filters; h5py does not expose that option."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values_of("<f4", (11, 7)), chunks=(4, 3), shuffle=True)
    library_reads = []
    source = HDF5Source(path, "v")
    read_by_library = source._read
    source._read = lambda box: library_reads.append(box) or read_by_library(box)
    with h5py.File(path) as file:
        same(source, file["v"], np.s_[0:8:1, 0:6:1])
        assert library_reads == []
        same(source, file["v"], np.s_[0:11:1, 0:7:1])
    assert np.s_[8:11:1, 0:3:1] in library_reads
    assert np.s_[0:4:1, 6:7:1] in library_reads


READ_BY_THE_LIBRARY = {
    "compact": lambda file: create(file, "v", (5,), plist(layout=h5py.h5d.COMPACT)),
    "scale-offset": lambda file: file.create_dataset("v", (5,), "i4", chunks=(2,), scaleoffset=4),
    "structure": lambda file: file.create_dataset("v", (5,), [("a", "i4"), ("b", "f4")]),
    "array": lambda file: file.create_dataset("v", (5,), np.dtype(("i4", (2,)))),
    "text": lambda file: file.create_dataset("v", (5,), h5py.string_dtype()),
    "ragged": lambda file: file.create_dataset("v", (5,), h5py.vlen_dtype("i4")),
    "scalar": lambda file: file.create_dataset("v", data=3.5),
    "unwritten": lambda file: file.create_dataset("v", (5,), "f4"),
    "opaque": lambda file: file.create_dataset(
        "v", data=np.arange(5).astype(h5py.opaque_dtype("M8[s]"))
    ),
}


@pytest.mark.parametrize("kind", READ_BY_THE_LIBRARY)
def test_datasets_read_by_the_library(tmp_path, kind: str) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        READ_BY_THE_LIBRARY[kind](file)
    source = HDF5Source(path, "v")
    assert source.lock is hdf5_lock
    found = read(source, whole(source.shape))
    with h5py.File(path) as file:
        if found.dtype != object:
            assert found.tobytes() == np.asarray(file["v"][...]).tobytes()


def low_level_string(size: int, pad: int):
    made = h5py.h5t.C_S1.copy()
    made.set_size(size)
    made.set_strpad(pad)
    return made


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("pad", ["NULLTERM", "NULLPAD", "SPACEPAD"])
def test_string_padding(tmp_path, size: int, pad: str) -> None:
    """Bytes after the end of a null-terminated string are not part of it."""
    path = str(tmp_path / "a.h5")
    raw = np.array([b"abcd", b"ab\x00d", b"", b"a b ", b"    ", b"\x00bcd"], "S4").astype(
        f"S{size}"
    )
    with h5py.File(path, "w") as file:
        stored = low_level_string(size, getattr(h5py.h5t, f"STR_{pad}"))
        space = h5py.h5s.create_simple((6,))
        made = h5py.h5d.create(file.id, b"v", stored, space)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, raw, stored)
    source = HDF5Source(path, "v")
    with h5py.File(path) as file:
        same(source, file["v"], whole((6,)))


def test_integers_of_fewer_bits_are_read_by_the_library(tmp_path) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        stored = h5py.h5t.STD_I16LE.copy()
        stored.set_precision(12)
        stored.set_offset(2)
        made = h5py.h5d.create(file.id, b"v", stored, h5py.h5s.create_simple((6,)))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(-3, 3, dtype="i2"))
    source = HDF5Source(path, "v")
    assert source.lock is hdf5_lock
    assert read(source, whole((6,))).tolist() == [-3, -2, -1, 0, 1, 2]


def test_external_links_are_read_by_the_library(tmp_path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["v"] = np.arange(5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = h5py.ExternalLink("b.h5", "v")
    source = HDF5Source(str(tmp_path / "a.h5"), "v")
    assert source.lock is hdf5_lock
    assert read(source, whole((5,))).tolist() == [0, 1, 2, 3, 4]
