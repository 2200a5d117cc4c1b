"""Streams: statistics accumulated during reading are the same to the bit as after it."""

from __future__ import annotations

import itertools
import math
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.errors import SourceError
from biggus.indexing.selection import Selection
from biggus.sources.base import Source, box_shape, whole
from biggus.sources.stream import Slabs, lies_flat, slabs, streamed
from biggus.sources.wrappers import Annotated, ObjectSource
from biggus.testing import RecordingSource

h5py = pytest.importorskip("h5py")

SHAPE = (9, 700, 1500)
"""About 9 million values: several reduction blocks of several long runs."""

VALUES = np.random.default_rng(5).standard_normal(SHAPE, "f4") * np.float32(20) + np.float32(280)

DTYPES = ["<f4", ">f4", "<f8", "<i2", ">u2", "u1", "<c8"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Write a file of the same values in several dtypes, each contiguous."""
    path = tmp_path_factory.mktemp("streams") / "a.h5"
    with h5py.File(path, "w") as file:
        for dtype in DTYPES:
            file[dtype] = stored(dtype)
    return path


def stored(dtype):
    values = VALUES.astype(dtype)
    return values + 1j * values[::-1] if values.dtype.kind == "c" else values


def statistics_of(a):
    """Return statistics of each kind over all axes."""
    found = [a.mean(), a.std(), a.sum(dtype=np.result_type(a.dtype, "i8")), a.count()]
    if a.dtype.kind != "c":
        found += [a.min(), a.max(), a.ptp(), a.argmin(), a.argmax(), a.median()]
    return [*found, a.any(), a.all(), biggus.count_nonzero(a)]


def check(found, expected):
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes(), f"result {number}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_streamed_statistics_match_unstreamed_ones_and_numpy(path, dtype):
    a = biggus.open(path, dtype)
    assert a.node.streams
    alone = [each.ndarray() for each in statistics_of(a)]
    check(biggus.ndarrays(statistics_of(a)), alone)
    # The copy needs whole blocks, so nothing is streamed.
    *beside, copy = biggus.ndarrays([*statistics_of(a), a[...]])
    check(beside, alone)
    values = stored(dtype)
    np.testing.assert_array_equal(copy, values)
    # They match NumPy.
    wide = values.astype("c16" if values.dtype.kind == "c" else "f8")
    np.testing.assert_allclose(alone[0], wide.mean(), rtol=1e-6)
    np.testing.assert_allclose(alone[1], wide.std(), rtol=1e-5)
    if wide.dtype.kind == "f":
        least, _, _, _, at, middle = alone[4:10]
        assert (least, at, middle) == (values.min(), values.argmax(), np.median(values))


@pytest.mark.parametrize(
    "key", [np.s_[2:7], np.s_[3], np.s_[1:2, 100:600], np.s_[4, 7, 3:1400], np.s_[8, 699, 1499]]
)
def test_contiguous_parts_are_streamed(path, key):
    part = biggus.open(path, "<f4")[key]
    assert part.node.streams
    assert part.max().ndarray() == VALUES[key].max()
    np.testing.assert_allclose(part.std().ndarray(), VALUES[key].astype("f8").std(), atol=1e-5)


@pytest.mark.parametrize(
    "key", [np.s_[::2], np.s_[::-1], np.s_[:, 1:], np.s_[..., :9], np.s_[[1, 2]], np.s_[0:0]]
)
def test_other_parts_are_not_streamed(path, key):
    part = biggus.open(path, "<f4")[key]
    assert not part.node.streams
    assert part.sum(dtype="f8").ndarray() == pytest.approx(VALUES[key].sum(dtype="f8"))


def mosaic_of(folder, axis):
    """Return a mosaic of files of different lengths."""
    parts = np.split(VALUES, (2, 3) if axis == 0 else (100, 350), axis=axis)
    tiles = []
    for number, part in enumerate(parts):
        with h5py.File(folder / f"{axis}{number}.h5", "w") as file:
            file["v"] = part
        tiles.append(biggus.open(folder / f"{axis}{number}.h5", "v"))
    return biggus.LinearMosaic(tiles, axis=axis)


@pytest.mark.parametrize(("axis", "key"), [(0, np.s_[1:8]), (1, np.s_[3])])
def test_mosaics_of_contiguous_files_are_streamed(tmp_path, axis, key):
    a = mosaic_of(tmp_path, axis)
    assert a.node.streams
    alone = [each.ndarray() for each in statistics_of(a)]
    *beside, copy = biggus.ndarrays([*statistics_of(a), a[...]])
    check(beside, alone)
    np.testing.assert_array_equal(copy, VALUES)
    assert a.argmax().ndarray() == VALUES.argmax()
    assert a[key].node.streams
    assert a[key].max().ndarray() == VALUES[key].max()
    with biggus.set_options(workers=1):
        assert biggus.plan([a.std()]).peak_bytes < biggus.plan([a.std(), a[...]]).peak_bytes


def test_mosaics_of_unlike_tiles_are_not_streamed(tmp_path):
    a = mosaic_of(tmp_path, 0)
    for other in (VALUES, a[:, :, ::-1], a.astype("f8"), np.ma.masked_less(VALUES, 250)):
        joined = biggus.LinearMosaic([a, biggus.ArrayAdapter(other)], axis=0)
        assert not joined.node.streams
        twice = np.ma.concatenate(
            [VALUES, np.ma.asarray(biggus.ArrayAdapter(other).masked_array())]
        )
        assert joined.sum(dtype="f8").masked_array() == pytest.approx(twice.sum(dtype="f8"))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("memory", ["17 MB", "1 GB"])
def test_streamed_statistics_do_not_depend_on_workers_and_memory(path, workers, memory):
    a = biggus.open(path, "<f4")
    expected = biggus.ndarrays([a.std(), a.min()])
    with biggus.set_options(workers=workers, memory=memory):
        check(biggus.ndarrays([a.std(), a.min()]), expected)


def test_streamed_statistics_in_processes(path, tmp_path):
    arrays = [biggus.open(path, "<f4"), mosaic_of(tmp_path, 0), mosaic_of(tmp_path, 1)[2:]]
    expected = [biggus.ndarrays([a.std(), a.min()]) for a in arrays]
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        biggus.set_options(executor=executor),
    ):
        for a, found in zip(arrays, expected, strict=True):
            check(biggus.ndarrays([a.std(), a.min()]), found)


def test_streaming_needs_less_memory_than_a_block(path):
    a = biggus.open(path, "<f4")
    block = math.prod(a.std().node.operand.shape[1:]) * 4 * 3
    with biggus.set_options(workers=1):
        assert biggus.plan([a.std()]).peak_bytes < block < biggus.plan([a.std(), a[...]]).peak_bytes


class StreamingSource(Source):
    """A source that records its reads and streams."""

    name = "streaming"
    dtype = np.dtype("f4")
    shape = SHAPE
    streams = True
    io_bound = False

    def __init__(self, fails_at=None):
        self.boxes = []
        self.streamed = []
        self.read = 0
        self.fails_at = fails_at

    def __getitem__(self, box):
        self.boxes.append(box)
        return VALUES[box]

    def stream(self, box):
        self.streamed.append(box)
        return Counted(self, box)


class Counted(Slabs):
    """A stream that counts its values, and fails after some of them."""

    def read_into(self, start, out):
        source = self._source
        if source.fails_at is not None and start + out.size > source.fails_at:
            raise SourceError(self.name, self.box, OSError("the disk is gone"))
        source.read += out.size
        super().read_into(start, out)


def test_each_value_is_streamed_once():
    source = StreamingSource()
    a = biggus.ArrayAdapter(source)
    biggus.ndarrays([a.mean(), a.std(), a.min(), a.max()])
    assert source.read == VALUES.size
    covered = np.zeros(SHAPE, "u1")
    for box in source.streamed:
        covered[box] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(
    "others",
    [
        lambda a: [a.max(axis=0)],
        lambda a: [a[:5].max()],
        lambda a: [(a * 2).max()],
        lambda a: [a[...]],
    ],
    ids=["axis", "part", "expression", "values"],
)
def test_values_that_others_need_are_not_streamed(others):
    source = StreamingSource()
    a = biggus.ArrayAdapter(source)
    mean, *_ = biggus.ndarrays([a.mean(dtype="f8"), *others(a)])
    assert mean == pytest.approx(VALUES.mean(dtype="f8"))
    assert not source.streamed
    covered = np.zeros(SHAPE, "u1")
    for box in source.boxes:
        covered[box] += 1
    assert (covered == 1).all()


def test_source_that_computes_statistics_to_read():
    class Busy(StreamingSource):
        def __getitem__(self, box):
            biggus.ArrayAdapter(StreamingSource())[:1].std().ndarray()
            return VALUES[box]

        stream = Source.stream

    a = biggus.ArrayAdapter(Busy())
    check([a.std().ndarray()], [biggus.ArrayAdapter(StreamingSource()).std().ndarray()])


def test_stream_error_names_the_source_and_the_box():
    source = StreamingSource(fails_at=1_500_000)
    with pytest.raises(SourceError, match=r"streaming.*\[.*\].*disk is gone"):
        biggus.ArrayAdapter(source).mean().ndarray()


def test_file_changed_while_streaming_raises(path, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    stream = biggus.open(copy, "<f4").node.stream(Selection.identity(SHAPE))
    out = np.empty(10, "f4")
    stream.read_into(0, out)
    np.testing.assert_array_equal(out, VALUES.reshape(-1)[:10])
    stat = copy.stat()
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    with pytest.raises(SourceError, match=r"copy\.h5.*changed during the read"):
        stream.read_into(10, out)


def test_truncated_file_raises(path, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    stream = biggus.open(copy, "<f4").node.stream(Selection.identity(SHAPE))
    with copy.open("rb+") as file:
        file.truncate(5000)
    with pytest.raises(SourceError, match=r"copy\.h5.*cut short"):
        stream.read_into(10_000, np.empty(10, "f4"))


def test_deleted_file_raises(path, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    a = biggus.open(copy, "<f4")
    copy.unlink()
    with pytest.raises(SourceError, match=r"copy\.h5"):
        a.mean().ndarray()


def test_changed_file_of_an_h5py_dataset_is_read_by_h5py(path, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy) as file:
        a = biggus.ArrayAdapter(file["<f4"])
        assert a.node.streams
        stat = copy.stat()
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
        # h5py still reads its open file, a few rows at a time.
        assert a.max().ndarray() == VALUES.max()


def test_streams_pass_only_through_transparent_wrappers():
    box = whole(SHAPE)
    inner = StreamingSource()
    assert type(streamed(RecordingSource(inner), box)) is Slabs
    assert type(streamed(Annotated(inner, lock=Unlocked()), box)) is Slabs
    assert type(streamed(Annotated(inner, token="mine"), box)) is Counted


class Unlocked:
    """A lock that is always free."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


BOXES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 3)), min_size=0, max_size=4
).map(lambda axes: tuple(slice(start, start + n, step) for start, n, step in axes))


@given(BOXES, st.integers(1, 40))
def test_slabs_cover_the_box_in_order(box, most):
    values = np.arange(9 ** len(box)).reshape((9,) * len(box))
    parts = [values[part] for part in slabs(box, most)]
    assert all(1 <= part.size <= most for part in parts)
    np.testing.assert_array_equal(
        np.concatenate([part.reshape(-1) for part in parts]), values[box].reshape(-1)
    )


@given(BOXES, st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_stream_of_any_source_reads_runs_of_any_length(box, lengths):
    values = np.arange(9 ** len(box)).reshape((9,) * len(box))
    stream = streamed(ObjectSource(values), box)
    expected = values[box].reshape(-1)
    start = 0
    for length in itertools.cycle(lengths):
        out = np.empty(min(length, expected.size - start), values.dtype)
        stream.read_into(start, out)
        np.testing.assert_array_equal(out, expected[start : start + out.size])
        start += out.size
        if start == expected.size:
            return


def test_lies_flat():
    shape = (3, 1, 4)
    values = np.arange(math.prod(shape)).reshape(shape)
    starts_stops_steps = [
        [slice(a, b, c) for a in range(n) for b in range(a + 1, n + 1) for c in (1, 2)]
        for n in shape
    ]
    for box in itertools.product(*starts_stops_steps):
        places = values[box].reshape(-1)
        together = bool((np.diff(places) == 1).all())
        assert lies_flat(box, shape) == together, box
        assert places.size == math.prod(box_shape(box))
