"""Reading past libhdf5 gives what h5py gives, over all that can be stored."""

from __future__ import annotations

import itertools
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from biggus.backends.hdf5 import source as sources
from biggus.backends.hdf5.backend import HDF5Source
from biggus.backends.native import hdf5_lock
from biggus.codecs import lzf
from biggus.sources.base import box_shape, read, whole

INDEXES = {
    "btree1": {"libver": "earliest"},
    "btree1-growing": {"libver": "earliest", "maxshape": (None, None)},
    "single": {"libver": "latest", "single": True},
    "fixed": {"libver": "latest"},
    "extensible": {"libver": "latest", "maxshape": (None, 7)},
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
    "lzf": {"compression": "lzf"},
    "lzf-all": {"compression": "lzf", "shuffle": True, "fletcher32": True},
}
needs_lzf = pytest.mark.skipif(not lzf.available(), reason="nothing here decodes LZF")
EACH_FILTER = [
    pytest.param(options, id=name, marks=needs_lzf if "lzf" in name else ())
    for name, options in FILTERS.items()
]
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


def values_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(7)
    if dtype == "enum":
        return rng.integers(0, 3, shape).astype("i2")
    if dtype.startswith("S"):
        return np.array([b"", b"a", b"\x00b", b"abcde"], "S5")[rng.integers(0, 4, shape)].astype(
            dtype
        )
    raw = rng.integers(-100, 100, shape)
    if dtype == "?":
        return raw > 0
    with np.errstate(all="ignore"):
        return (raw * (1 + 2j) if "c" in dtype else raw).astype(dtype)


def type_of(dtype: str):
    if dtype == "enum":
        return h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, basetype="i2")
    return np.dtype(dtype)


def same(source, dataset, box) -> None:
    expected = np.asarray(dataset[box])
    found = read(source, box)
    assert found.dtype == np.dtype(expected.dtype.str) == source.dtype
    assert found.tobytes() == expected.tobytes()
    assert found.flags.writeable
    assert found.flags.c_contiguous


def refuse(*_):
    raise AssertionError("the library was asked for values")


@pytest.fixture
def unaided(monkeypatch):
    """The library may not be asked for values."""
    monkeypatch.setattr(sources, "read_values", refuse)


def clipped(box, shape):
    return tuple(
        slice(min(s.start, n - 1), max(min(s.start, n - 1) + 1, min(s.stop, n)), s.step)
        for s, n in zip(box, shape, strict=True)
    )


# Where chunks lie has nothing to do with what is in them.
CHUNKED = [
    *itertools.product(INDEXES, FILTERS, ["<f4"]),
    *itertools.product(["btree2"], ["plain", "all", "lzf-all"], DTYPES),
]


@pytest.mark.parametrize(("index", "filters", "dtype"), dict.fromkeys(CHUNKED))
def test_chunked(tmp_path, monkeypatch, index: str, filters: str, dtype: str) -> None:
    if "lzf" in filters and not lzf.available():
        pytest.skip("nothing here decodes LZF")
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
            if name == "even":  # others have chunks that may be stored without filters
                monkeypatch.setattr(source, "_read", refuse)
            for box in BOXES:
                same(source, file[name], clipped(box, shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("user_block", [0, 1024])
def test_contiguous(tmp_path, unaided, libver: str, dtype: str, user_block: int) -> None:
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
def test_behind_a_user_block(tmp_path, unaided, index: str, filters) -> None:
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


def plist(layout=None, **settings):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout is not None:
        made.set_layout(layout)
    for name, value in settings.items():
        getattr(made, f"set_{name}")(value)
    return made


def create(file, name: str, shape, properties, dtype="<i4"):
    space = h5py.h5s.create_simple(shape)
    created = h5py.h5d.create(
        file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, properties
    )
    return h5py.Dataset(created)


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
def test_what_was_never_written(tmp_path, fill: str, libver: str, chunks, written: bool) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w", libver=libver) as file:
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
def test_allocated_early(tmp_path, unaided, libver: str) -> None:
    """In files of the latest version their place follows from their number alone."""
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
def test_filter_masks(tmp_path, unaided, libver: str, user_block: int) -> None:
    """Each chunk may be stored without some of the filters."""
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
def test_filters_in_any_order(tmp_path, unaided, order) -> None:
    """Checksums may come first, and shuffle what is no multiple of an element."""
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


def test_edge_chunks_that_may_not_be_filtered_are_left_to_the_library(tmp_path) -> None:
    """A file can say of them, once for all, that they are not; nothing in h5py tells."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values_of("<f4", (11, 7)), chunks=(4, 3), shuffle=True)
    asked = []
    source = HDF5Source(path, "v")
    through = source._read
    source._read = lambda box: asked.append(box) or through(box)
    with h5py.File(path) as file:
        same(source, file["v"], np.s_[0:8:1, 0:6:1])
        assert asked == []
        same(source, file["v"], np.s_[0:11:1, 0:7:1])
    assert np.s_[8:11:1, 0:3:1] in asked
    assert np.s_[0:4:1, 6:7:1] in asked


LEFT_TO_THE_LIBRARY = {
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


@pytest.mark.parametrize("kind", LEFT_TO_THE_LIBRARY)
def test_what_only_the_library_can_read(tmp_path, kind: str) -> None:
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        LEFT_TO_THE_LIBRARY[kind](file)
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
def test_strings_by_how_they_end(tmp_path, size: int, pad: str) -> None:
    """Bytes behind the end of a string are not part of it, where it has an end."""
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


def test_integers_of_fewer_bits_are_left_to_the_library(tmp_path) -> None:
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


def test_what_lies_behind_an_external_link_is_left_to_the_library(tmp_path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["v"] = np.arange(5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = h5py.ExternalLink("b.h5", "v")
    source = HDF5Source(str(tmp_path / "a.h5"), "v")
    assert source.lock is hdf5_lock
    assert read(source, whole((5,))).tolist() == [0, 1, 2, 3, 4]


SPACES = {
    "chunked": {"chunks": (5, 4, 9), "compression": "gzip", "shuffle": True},
    "plain": {"chunks": (7, 11, 3)},
    "contiguous": {},
}
SHAPE = (23, 17, 19)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("direct") / "a.h5")
    values = np.random.default_rng(5).integers(0, 2**31, SHAPE, "i4")
    with h5py.File(path, "w") as file:
        for name, options in SPACES.items():
            file.create_dataset(name, data=values, **options)
    return values, {name: HDF5Source(path, name) for name in SPACES}


@st.composite
def boxes(draw):
    box = []
    for n in SHAPE:
        start = draw(st.integers(0, n - 1))
        stop = draw(st.integers(start + 1, n))
        box.append(slice(start, stop, draw(st.integers(1, n))))
    return tuple(box)


@pytest.mark.parametrize("name", SPACES)
@given(box=boxes())
def test_any_box(large, name: str, box) -> None:
    values, all_sources = large
    found = read(all_sources[name], box)
    np.testing.assert_array_equal(found, values[box])
    assert all_sources[name].peak_bytes(box) >= found.nbytes


@given(box=boxes(), near=st.integers(0, 3000), together=st.integers(1, 9000))
def test_any_box_of_what_is_read_together(large, box, near: int, together: int) -> None:
    """Whatever counts as near, and as much."""
    from biggus.backends import reading

    values, all_sources = large
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_FAR", near)
        patch.setattr(reading, "MOST_TOGETHER", together)
        for name in ("contiguous", "plain"):
            np.testing.assert_array_equal(read(all_sources[name], box), values[box])


@given(box=boxes(), dense=st.booleans())
def test_any_box_of_which_runs_go_where_they_belong(large, box, dense: bool) -> None:
    from biggus.backends.hdf5 import chunked

    values, all_sources = large
    if dense:
        box = (*(slice(s.start, s.stop, 1) for s in box[:2]), slice(0, 9, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "_SMALL", 0)
        for source in all_sources.values():
            np.testing.assert_array_equal(read(source, box), values[box])


def test_copies_know_how_values_are_stored(large) -> None:
    values, all_sources = large
    for source in all_sources.values():
        copy = pickle.loads(pickle.dumps(source))
        box = whole(SHAPE)
        assert copy.lock is None
        assert copy.peak_bytes(box) == source.peak_bytes(box)
        np.testing.assert_array_equal(read(copy, box), values)


def test_rank_up_to_many(tmp_path, unaided) -> None:
    path = str(tmp_path / "a.h5")
    values = np.arange(3**7, dtype="i2").reshape((3,) * 7)
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values, chunks=(2,) * 7, compression="gzip")
    source = HDF5Source(path, "v")
    box = (slice(0, 3, 2),) * 7
    np.testing.assert_array_equal(read(source, box), values[box])


def test_large_chunks_that_are_not_compressed_are_read_in_parts(tmp_path, unaided) -> None:
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
def test_far_strides_over_small_chunks_are_left_to_the_library(
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
def test_memory_is_what_is_said_beforehand(tmp_path, traced_peak, user_block: int) -> None:

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
            said = source.peak_bytes(box)
            assert traced_peak(lambda source=source, box=box: read(source, box), said) <= said


def test_one_descriptor_of_our_own_beside_the_librarys(tmp_path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("the system does not list descriptors")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"], file["w"] = np.arange(5.0), np.arange(5)

    def held() -> int:
        return sum(link.resolve() == path for link in descriptors.iterdir())

    both = [HDF5Source(str(path), name) for name in "vw"]
    assert held() == 1
    for source in both:
        read(source, whole((5,)))
    assert held() == 2
    del both, source
    assert held() == 0
