"""Reading without libhdf5 matches h5py, for all layouts, filters and dtypes."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("hypothesis")
from hdf5_direct import create, plist, refuse, same, type_of, values_of

from biggus.backends.hdf5.backend import HDF5Source
from biggus.sources.base import whole

INDEXES = {
    "btree1": {"libver": "earliest"},
    "btree1-growing": {"libver": "earliest", "maxshape": (None, None)},
    "single": {"libver": "latest", "single": True},
    "fixed": {"libver": "latest"},
    "extensible": {"libver": "latest", "maxshape": (None, 7)},
    "extensible-later": {"libver": "latest", "maxshape": (11, None)},
    "btree2": {"libver": "latest", "maxshape": (None, None)},
}
FILTERS = {
    "plain": {},
    "gzip": {"compression": "gzip"},
    "shuffle": {"shuffle": True},
    "fletcher": {"fletcher32": True},
    "gzip-shuffle": {"compression": "gzip", "shuffle": True},
    "gzip-fletcher": {"compression": "gzip", "fletcher32": True},
    "shuffle-fletcher": {"shuffle": True, "fletcher32": True},
    "all": {"compression": "gzip", "shuffle": True, "fletcher32": True},
}
EACH_FILTER = [pytest.param(options, id=name) for name, options in FILTERS.items()]
DTYPES = ["<f4", ">f8", "<f2", "i1", ">i2", "<u4", ">u8", "?", "<c8", ">c16", "S1", "S5", "enum"]
SHAPES = {"edges": ((11, 7), (4, 3)), "even": ((8, 6), (4, 3)), "larger": ((3, 2), (4, 3))}
BOXES = [
    np.s_[0:11:1, 0:7:1],
    np.s_[4:8:1, 3:6:1],
    np.s_[2:11:3, 1:7:2],
    np.s_[10:11:1, 6:7:1],
    np.s_[0:9:4, 0:7:6],
    np.s_[5:6:1, 0:7:1],
]


def clipped(box, shape):
    return tuple(
        slice(min(s.start, n - 1), max(min(s.start, n - 1) + 1, min(s.stop, n)), s.step)
        for s, n in zip(box, shape, strict=True)
    )


# The index of chunks does not depend on their filters and dtype.
CHUNKED = [
    *itertools.product(INDEXES, FILTERS, ["<f4"]),
    *itertools.product(["btree2"], ["plain", "all"], DTYPES),
]


@pytest.mark.parametrize(("index", "filters", "dtype"), dict.fromkeys(CHUNKED))
def test_chunked(tmp_path, monkeypatch, index: str, filters: str, dtype: str) -> None:
    filters, options = FILTERS[filters], dict(INDEXES[index])
    libver, single = options.pop("libver"), options.pop("single", False)
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=libver) as file:
        for name, (shape, chunks) in SHAPES.items():
            maxshape = options.get("maxshape")
            if name == "larger":
                maxshape = maxshape or (4, 3)
            dataset = file.create_dataset(
                name,
                shape,
                type_of(dtype),
                chunks=shape if single else chunks,
                maxshape=maxshape if not single else None,
                **filters,
            )
            dataset[...] = values_of(dtype, shape)
    with h5py.File(path) as file:
        for name, (shape, _) in SHAPES.items():
            source = HDF5Source(path, name)
            assert source.lock is None
            if name == "even":  # partial edge chunks may be stored without filters
                monkeypatch.setattr(source, "_read", refuse)
            for box in BOXES:
                same(source, file[name], clipped(box, shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("user_block", [0, 1024])
def test_contiguous(
    tmp_path, fail_on_library_reads, libver: str, dtype: str, user_block: int
) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=libver, userblock_size=user_block) as file:
        file.create_dataset("before", data=np.ones(100))
        file.create_dataset("v", data=values_of(dtype, (11, 7)), dtype=type_of(dtype))
    source = HDF5Source(path, "v")
    assert (source.lock, source.chunks) == (None, None)
    with h5py.File(path) as file:
        for box in BOXES:
            same(source, file["v"], box)


@pytest.mark.parametrize("filters", EACH_FILTER)
@pytest.mark.parametrize("index", INDEXES)
def test_file_with_a_user_block(tmp_path, fail_on_library_reads, index: str, filters) -> None:
    options = dict(INDEXES[index])
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=options["libver"], userblock_size=512) as file:
        file.create_dataset("before", data=np.arange(1000), chunks=(100,))
        file.create_dataset("v", data=values_of("<f4", (8, 6)), chunks=(4, 3), **filters)
    source = HDF5Source(path, "v")
    assert source.lock is None
    with h5py.File(path) as file:
        for box in BOXES:
            same(source, file["v"], clipped(box, (8, 6)))


FILLS = {
    "default": {},
    "user": {"fill_value": np.array(-7, "<i4")},
    "never": {"fill_time": h5py.h5d.FILL_TIME_NEVER},
    "never-user": {
        "fill_value": np.array(-7, "<i4"),
        "fill_time": h5py.h5d.FILL_TIME_NEVER,
    },
    "on-allocation": {
        "fill_value": np.array(-7, "<i4"),
        "fill_time": h5py.h5d.FILL_TIME_ALLOC,
    },
}


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("chunks", [(4, 3), None], ids=["chunked", "contiguous"])
@pytest.mark.parametrize("written", [True, False], ids=["some", "none"])
@pytest.mark.parametrize("user_block", [0, 512])
def test_values_never_written(
    tmp_path, fill: str, libver: str, chunks, written: bool, user_block: int
) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=libver, userblock_size=user_block) as file:
        properties = plist(**FILLS[fill])
        if chunks:
            properties.set_chunk(chunks)
            properties.set_deflate(4)
        dataset = create(file, "v", (11, 7), properties)
        if written and (chunks or fill in ("default", "user")):
            dataset[5:7, 2:4] = 1
    source = HDF5Source(path, "v")
    with h5py.File(path) as file:
        for box in BOXES:
            same(source, file["v"], box)
            same(source, file["v"], box)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_early_allocation(tmp_path, fail_on_library_reads, libver: str) -> None:
    """In files of the latest version, the address of a chunk follows from its number."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=libver) as file:
        properties = plist(
            chunk=(4, 3), alloc_time=h5py.h5d.ALLOC_TIME_EARLY, fill_value=np.array(9, "<i4")
        )
        create(file, "v", (11, 7), properties)[3:9, 2:5] = values_of("<i4", (6, 3))
    source = HDF5Source(path, "v")
    assert source.lock is None
    with h5py.File(path) as file:
        for box in BOXES:
            same(source, file["v"], box)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("user_block", [0, 512])
def test_filter_masks(tmp_path, fail_on_library_reads, libver: str, user_block: int) -> None:
    """Single chunks may be stored without some of the filters."""
    path = str(tmp_path / "a.h5")
    values = values_of("<f4", (8, 8))
    with h5py.File(path, "w", libver=libver, userblock_size=user_block) as file:
        dataset = file.create_dataset(
            "v", (8, 8), "<f4", chunks=(4, 4), compression="gzip", shuffle=True
        )
        for mask, (i, j) in enumerate(itertools.product((0, 4), (0, 4))):
            stored = values[i : i + 4, j : j + 4].tobytes()
            if not mask & 1:
                stored = np.frombuffer(stored, "u1").reshape(16, 4).T.tobytes()
            if not mask & 2:
                stored = zlib.compress(stored)
            dataset.id.write_direct_chunk((i, j), stored, mask)
    source = HDF5Source(path, "v")
    assert source.lock is None
    with h5py.File(path) as file:
        assert file["v"][...].tobytes() == values.tobytes()
        same(source, file["v"], whole((8, 8)))
        same(source, file["v"], np.s_[1:7:3, 2:8:1])


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["shuffle", "deflate", "fletcher32"])), ids="-".join
)
def test_filters_in_any_order(tmp_path, fail_on_library_reads, order) -> None:
    """Checksums may come first, and the shuffled bytes need not be whole elements."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        properties = plist(chunk=(4, 3))
        for name in order:
            arguments = {"deflate": (4,)}.get(name, ())
            getattr(properties, f"set_{name}")(*arguments)
        create(file, "v", (11, 7), properties)[...] = values_of("<i4", (11, 7))
    source = HDF5Source(path, "v")
    assert source.lock is None
    with h5py.File(path) as file:
        for box in BOXES:
            same(source, file["v"], box)
