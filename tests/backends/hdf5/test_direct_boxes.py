"""Reads of any box without libhdf5, and their memory."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("hypothesis")
from hdf5_direct import refuse, same, type_of, values_of
from hypothesis import given
from hypothesis import strategies as st

from biggus.backends.hdf5.backend import HDF5Source
from biggus.sources.base import box_shape, read, whole
from biggus.testing.strategies import boxes

SPACES = {
    "chunked": {"chunks": (5, 4, 9), "compression": "gzip", "shuffle": True},
    "plain": {"chunks": (7, 11, 3)},
    "contiguous": {},
}
SHAPE = (23, 17, 19)


@pytest.fixture(scope="module")
def values_and_sources(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("direct") / "a.h5")
    values = np.random.default_rng(5).integers(0, 2**31, SHAPE, "i4")
    with h5py.File(path, "w") as file:
        for name, options in SPACES.items():
            file.create_dataset(name, data=values, **options)
    return values, {name: HDF5Source(path, name) for name in SPACES}


@pytest.mark.parametrize("name", SPACES)
@given(box=boxes(SHAPE))
def test_any_box(values_and_sources, name: str, box) -> None:
    values, all_sources = values_and_sources
    found = read(all_sources[name], box)
    np.testing.assert_array_equal(found, values[box])
    assert all_sources[name].peak_bytes(box) >= found.nbytes


@given(box=boxes(SHAPE), near=st.integers(0, 3000), most_together=st.integers(1, 9000))
def test_any_box_with_joined_reads(values_and_sources, box, near: int, most_together: int) -> None:
    """For any limits on the gap between joined reads and on their total size."""
    from biggus.backends import reading

    values, all_sources = values_and_sources
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_FAR", near)
        patch.setattr(reading, "MOST_TOGETHER", most_together)
        for name in ("contiguous", "plain"):
            np.testing.assert_array_equal(read(all_sources[name], box), values[box])


@given(box=boxes(SHAPE), dense=st.booleans())
def test_any_box_with_small_runs(values_and_sources, box, dense: bool) -> None:
    from biggus.backends.hdf5 import chunked

    values, all_sources = values_and_sources
    if dense:
        box = (*(slice(s.start, s.stop, 1) for s in box[:2]), slice(0, 9, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "_SMALL", 0)
        for source in all_sources.values():
            np.testing.assert_array_equal(read(source, box), values[box])


def test_pickled_sources_keep_their_storage(values_and_sources) -> None:
    values, all_sources = values_and_sources
    for source in all_sources.values():
        copy = pickle.loads(pickle.dumps(source))
        box = whole(SHAPE)
        assert copy.lock is None
        assert copy.peak_bytes(box) == source.peak_bytes(box)
        np.testing.assert_array_equal(read(copy, box), values)


def test_seven_dimensions(tmp_path, fail_on_library_reads) -> None:
    path = str(tmp_path / "a.h5")
    values = np.arange(3**7, dtype="i2").reshape((3,) * 7)
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values, chunks=(2,) * 7, compression="gzip")
    source = HDF5Source(path, "v")
    box = (slice(0, 3, 2),) * 7
    np.testing.assert_array_equal(read(source, box), values[box])


def test_large_uncompressed_chunks_are_read_in_parts(tmp_path, fail_on_library_reads) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        values = np.repeat(np.arange(40, dtype="f4"), 512 * 1024).reshape(40, 512, 1024)
        file.create_dataset("v", data=values, chunks=(16, 512, 1024))
        file.create_dataset("small", (40, 8), "f4", chunks=(16, 8))[...] = 1
    source = HDF5Source(path, "v")
    assert source.chunks == (2, 512, 1024)
    assert HDF5Source(path, "small").chunks == (16, 8)
    box = np.s_[18:20:1, 0:512:1, 0:1024:1]
    assert source.peak_bytes(box) <= 4 * 2**20 + 2**20
    assert read(source, box).tobytes() == values[18:20].tobytes()


@pytest.mark.parametrize(("libver", "dtype"), [("earliest", ">f4"), ("latest", "enum")])
def test_far_strides_over_small_chunks_use_the_library(
    tmp_path, monkeypatch, libver: str, dtype: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        created = file.create_dataset(
            "v", (7, 5000), type_of(dtype), chunks=(2, 16), fillvalue=1, maxshape=(None, 5000)
        )
        created[:4, :3000] = values_of(dtype, (4, 3000))  # some chunks are never written
    source = HDF5Source(str(tmp_path / "a.h5"), "v")
    with h5py.File(tmp_path / "a.h5") as file:
        for box in (np.s_[1:7:1, 5:5000:100], np.s_[0:7:4, 3:4000:33], np.s_[1:2:1, 0:4999:3000]):
            same(source, file["v"], box)
            with monkeypatch.context() as patch:
                patch.setattr("biggus.backends.hdf5.chunked.read_one", refuse)
                patch.setattr("biggus.backends.hdf5.chunked.tables", None)
                same(source, file["v"], box)


@pytest.mark.parametrize("user_block", [0, 512])
def test_peak_memory_is_within_peak_bytes(tmp_path, traced_peak, user_block: int) -> None:

    path = str(tmp_path / "a.h5")
    values = np.random.default_rng(0).integers(0, 99, (64, 256, 256), "i2")
    kinds = {
        "gzip": {"chunks": (32, 128, 256), "compression": "gzip", "shuffle": True},
        "deflate": {"chunks": (32, 128, 256), "compression": "gzip"},
        "checked": {"chunks": (32, 128, 256), "fletcher32": True},
        "plain": {"chunks": (32, 128, 256)},
        "whole": {},
    }
    with h5py.File(path, "w", userblock_size=user_block) as file:
        for name, options in kinds.items():
            file.create_dataset(name, data=values, **options)
    for name in kinds:
        source = HDF5Source(path, name)
        for box in (
            np.s_[32:64:1, 128:256:1, 0:256:1],
            np.s_[0:64:1, 0:256:1, 0:256:1],
            np.s_[3:5:1, 0:256:1, 7:9:1],
            np.s_[0:64:2, 5:256:9, 7:256:3],
        ):
            assert read(source, box).shape == box_shape(box)
            peak = source.peak_bytes(box)
            assert traced_peak(lambda source=source, box=box: read(source, box), peak) <= peak


def test_one_descriptor_besides_the_librarys(tmp_path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("the system does not list descriptors")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"], file["w"] = np.arange(5.0), np.arange(5)

    def count_open() -> int:
        return sum(link.resolve() == path for link in descriptors.iterdir())

    both = [HDF5Source(str(path), name) for name in "vw"]
    assert count_open() == 1
    for source in both:
        read(source, whole((5,)))
    assert count_open() == 2
    del both, source
    assert count_open() == 0
