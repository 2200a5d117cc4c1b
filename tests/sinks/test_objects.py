"""Saving into objects assigns the values of NumPy, each chunk whole and once."""

import signal
import threading

import numpy as np
import pytest

import biggus
from biggus.backends.native import LibraryLock
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import Assigning
from biggus.testing import ArraySource, RecordingSource

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

SHAPE = (7, 10)
NUMBERS = np.arange(70).reshape(SHAPE)
DTYPES = ["?", "i1", "u2", ">i4", "i8", "u8", "f2", ">f4", "f8", "c8", ">c16"]


def values_of(dtype):
    if np.dtype(dtype).kind == "?":
        return NUMBERS % 3 == 0
    return NUMBERS.astype(dtype)


def lazy(values, chunks=(3, 4)):
    return biggus.ArrayAdapter(values, chunks=chunks)


def missing(values):
    return np.ma.MaskedArray(values.copy(), mask=NUMBERS % 4 == 1)


@pytest.fixture(params=["ndarray", "fortran", "memmap", "hdf5", "contiguous", "zarr2", "zarr3"])
def make(request, tmp_path):
    """Return a function that makes a target."""
    kept = []

    def target(shape, dtype, chunks=(2, 5)):
        chunks = tuple(chunks[: len(shape)])
        if request.param == "ndarray" or (request.param == "memmap" and not all(shape)):
            return np.zeros(shape, dtype)
        if request.param == "fortran":
            return np.zeros(shape, dtype, order="F")
        if request.param == "memmap":
            return np.memmap(tmp_path / "target", dtype, "w+", shape=shape)
        if request.param in ("hdf5", "contiguous"):
            file = h5py.File(tmp_path / f"target{len(kept)}.h5", "w")
            kept.append(file)
            chunked = chunks if request.param == "hdf5" and all(shape) and shape else None
            return file.create_dataset("target", shape, dtype, chunks=chunked)
        return zarr.create_array(
            store=tmp_path / "target.zarr",
            shape=shape,
            dtype=np.dtype(dtype).newbyteorder("=") if request.param == "zarr3" else dtype,
            chunks=chunks,
            zarr_format=int(request.param[-1]),
        )

    yield target
    for file in kept:
        file.close()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(make, dtype):
    values = values_of(dtype)
    target = make(SHAPE, dtype)
    biggus.save(lazy(values), target)
    assert np.array_equal(target[...], values)


@pytest.mark.parametrize(("given", "kept"), [("f8", "f4"), ("i4", "f8"), ("?", "u1"), ("i8", "i2")])
def test_same_kind_casts(make, given, kept):
    target = make(SHAPE, kept)
    biggus.save(lazy(values_of(given)), target)
    assert np.array_equal(target[...], values_of(given).astype(kept))


@pytest.mark.parametrize(("given", "kept"), [("f8", "i8"), ("c8", "f8"), ("i8", "?"), ("i4", "u4")])
def test_casts_to_another_kind_raise(make, given, kept):
    with pytest.raises(TypeError, match="astype"):
        biggus.save(lazy(values_of(given)), make(SHAPE, kept))


def test_scalar(make):
    target = make((), "f8")
    biggus.save(lazy(NUMBERS).mean(), target)
    assert target[()] == NUMBERS.mean()


def test_expression_and_reduction_in_one_pass(make, recorded):
    source = recorded(NUMBERS.astype("f8"))
    a = biggus.ArrayAdapter(source, chunks=(3, 4))
    target, mean = make(SHAPE, "f8"), np.zeros(10)
    biggus.save([a * 2 + 1, a.mean(axis=0)], [target, mean])
    assert np.array_equal(target[...], NUMBERS * 2.0 + 1)
    assert np.array_equal(mean, NUMBERS.mean(axis=0))


@pytest.mark.parametrize("chunks", [(2, 5), (7, 10), (1, 3)])
@pytest.mark.parametrize("grid", [(3, 4), ((1, 4, 2), (9, 1)), (7, 10)])
def test_chunks_unlike_those_of_the_target(make, chunks, grid):
    target = make(SHAPE, "i8", chunks)
    biggus.save(lazy(NUMBERS, grid)[::-1], target)
    assert np.array_equal(target[...], NUMBERS[::-1])


@pytest.mark.parametrize("dtype", ["f4", "c16", ">f8"])
def test_missing_numbers_become_nan(make, dtype):
    values = missing(values_of(dtype))
    target = make(SHAPE, dtype)
    biggus.save(lazy(values), target)
    assert np.array_equal(target[...], values.filled(np.nan), equal_nan=True)


@pytest.mark.parametrize("dtype", ["i4", "?", "u1"])
def test_missing_values_without_representation_raise(make, dtype):
    target = make(SHAPE, dtype)
    with pytest.raises(MaskedValueError, match="cannot write the"):
        biggus.save(lazy(missing(values_of(dtype))), target)


def test_missing_integers_become_nan_in_a_float_target(make):
    target = make(SHAPE, "f8")
    biggus.save(lazy(missing(NUMBERS)), target)
    assert np.array_equal(target[...], missing(NUMBERS * 1.0).filled(np.nan), equal_nan=True)


def test_missing_scalar(make):
    target = make((), "f4")
    biggus.save(biggus.ArrayAdapter(np.ma.masked_array(1, mask=True, dtype="f4")), target)
    assert np.isnan(target[()])


def test_masked_array_without_missing_values(make):
    target = make(SHAPE, "i4")
    biggus.save(lazy(np.ma.MaskedArray(NUMBERS.astype("i4"))), target)
    assert np.array_equal(target[...], NUMBERS)


def test_other_shape_raises(make):
    with pytest.raises(ValueError, match="does not fit"):
        biggus.save(lazy(NUMBERS), make((7, 9), "i8"))


def test_empty_array(make):
    target = make((0, 10), "i8", (1, 5))
    biggus.save(lazy(NUMBERS)[3:3], target)
    assert target.shape == (0, 10)


def test_masked_array_target_gets_the_mask():
    target = np.ma.zeros(SHAPE, "i8")
    target[0, 0] = np.ma.masked
    biggus.save(lazy(missing(NUMBERS)), target)
    assert np.array_equal(np.ma.getmaskarray(target), missing(NUMBERS).mask)
    assert np.array_equal(target.compressed(), missing(NUMBERS).compressed())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_values_become_the_fill_value_of_zarr(tmp_path, zarr_format):
    target = zarr.create_array(
        store=tmp_path / "a.zarr",
        shape=SHAPE,
        dtype="i4",
        chunks=(2, 5),
        fill_value=-9,
        zarr_format=zarr_format,
    )
    biggus.save(lazy(missing(NUMBERS)).astype("i4"), target)
    assert np.array_equal(target[...], missing(NUMBERS).filled(-9))


def test_fill_value_keeps_its_precision(tmp_path):
    target = zarr.create_array(
        store=tmp_path / "a.zarr", shape=SHAPE, dtype="f4", chunks=(2, 5), fill_value=-0.1
    )
    biggus.save(lazy(missing(NUMBERS)).astype("i2"), target)
    assert np.array_equal(target[...], missing(NUMBERS.astype("f4")).filled(-0.1))


def test_value_cast_to_the_fill_value_raises(tmp_path):
    target = zarr.create_array(
        store=tmp_path / "a.zarr", shape=SHAPE, dtype="f4", chunks=(2, 5), fill_value=0.1
    )
    values = missing(NUMBERS.astype("f8"))
    values[0, 0] = 0.1
    with pytest.raises(OutputError, match="is among the values"):
        biggus.save(lazy(values), target)


def test_value_equal_to_the_fill_value_raises(tmp_path):
    target = zarr.create_array(
        store=tmp_path / "a.zarr", shape=SHAPE, dtype="i8", chunks=(2, 5), fill_value=6
    )
    with pytest.raises(OutputError, match="is among the values"):
        biggus.save(lazy(missing(NUMBERS)), target)
    biggus.save(lazy(NUMBERS), target)  # without a mask it is an ordinary value


def test_sharded_array_is_written_by_whole_shards(tmp_path):
    target = zarr.create_array(
        store=tmp_path / "a.zarr", shape=SHAPE, dtype="i8", chunks=(1, 2), shards=(4, 4)
    )
    biggus.save(lazy(NUMBERS), target)
    assert np.array_equal(target[...], NUMBERS)


def test_missing_times_become_nat():
    times = NUMBERS.astype("M8[h]")
    target = np.zeros(SHAPE, "M8[s]")
    biggus.save(lazy(missing(times)), target)
    assert np.array_equal(target, missing(times).filled(np.datetime64("NaT", "s")), equal_nan=True)


def test_strings_are_not_truncated(tmp_path):
    words = np.array(["one", "zwölf", ""])
    target = np.zeros(3, "U9")
    biggus.save(lazy(words, (2,)), target)
    assert target.tolist() == words.tolist()
    with pytest.raises(TypeError, match="astype"):
        biggus.save(lazy(words, (2,)), np.zeros(3, "U4"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("words", 3, h5py.string_dtype())
        biggus.save(lazy(words, (2,)), dataset)
        assert dataset.asstr()[...].tolist() == words.tolist()


class RecordingTarget:
    """A user's target, which accepts whole chunks only, from one thread at a time."""

    def __init__(self, shape, dtype, chunks):
        self.shape, self.dtype, self.chunks = shape, np.dtype(dtype), chunks
        self.values = np.zeros(shape, dtype)
        self.written = np.zeros(shape, int)
        self.inside = threading.Lock()

    def __setitem__(self, box, values):
        assert self.inside.acquire(blocking=False)
        try:
            assert type(values) is np.ndarray
            assert values.shape == self.values[box].shape
            for s, n, c in zip(box, self.shape, self.chunks, strict=True):
                assert (s.step, s.start % c) == (1, 0)
                assert s.stop == n or s.stop % c == 0
            self.written[box] += 1
            self.values[box] = values
        finally:
            self.inside.release()


@pytest.mark.parametrize("grid", [None, (100, 700), (96, 1000), ((400, 1, 599), (1000,))])
def test_each_target_chunk_is_written_whole_and_once(grid):
    values = np.arange(10**6, dtype="f4").reshape(1000, 1000)
    first, second = (
        RecordingTarget((1000, 1000), "f8", (64, 300)),
        RecordingTarget((1000,), "f8", (70,)),
    )
    a = biggus.ArrayAdapter(values, chunks=grid)
    with biggus.set_options(workers=4, memory="16 MB"):
        biggus.save([a + 1, a.mean(axis=1, dtype="f8")], [first, second])
    assert (first.written == 1).all()
    assert (second.written == 1).all()
    assert np.array_equal(first.values, values + 1)
    np.testing.assert_allclose(second.values, values.mean(axis=1, dtype="f8"))


def test_failing_target_error_names_target_and_box():
    class Full:
        shape = SHAPE

        def __setitem__(self, box, values):
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write the Full \[0:.*No space left"):
        biggus.save(lazy(NUMBERS), Full())


def test_failing_source_raises_source_error():
    class Broken:
        shape, dtype = SHAPE, NUMBERS.dtype

        def __getitem__(self, box):
            raise RuntimeError("broken")

    with pytest.raises(biggus.SourceError, match="broken"):
        biggus.save(biggus.ArrayAdapter(Broken()), np.zeros(SHAPE))


@pytest.mark.parametrize(
    ("arrays", "targets", "error"),
    [
        (NUMBERS, [np.zeros(SHAPE)], TypeError),
        ([NUMBERS], np.zeros(SHAPE), TypeError),
        ([NUMBERS, NUMBERS], [np.zeros(SHAPE)], ValueError),
        (NUMBERS, object(), TypeError),
        (NUMBERS, 3, TypeError),
        (NUMBERS, biggus.zeros(SHAPE), TypeError),
        (NUMBERS, np.broadcast_to(0, SHAPE), ValueError),
    ],
)
def test_invalid_arguments_raise(arrays, targets, error):
    with pytest.raises(error):
        biggus.save(arrays, targets)


def test_one_target_for_two_arrays_raises():
    target = np.zeros(SHAPE)
    with pytest.raises(ValueError, match="two arrays"):
        biggus.save([NUMBERS, NUMBERS], [target, target])


def test_read_only_dataset_raises(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = np.zeros(SHAPE)
    with h5py.File(tmp_path / "a.h5") as file, pytest.raises(ValueError, match="for reading only"):
        biggus.save(lazy(NUMBERS), file["a"])


def test_array_and_its_parts_are_read_once(monkeypatch):
    monkeypatch.setattr("biggus.indexing.reduction_blocks.RUN", 1)
    monkeypatch.setattr("biggus.indexing.reduction_blocks.BLOCK", 1)
    values = np.random.default_rng(0).random((60, 40, 50)).astype("f4")
    source = RecordingSource(ArraySource(values, (6, 20, 50)))
    a = biggus.ArrayAdapter(source)
    whole, some, turned = np.zeros_like(values), np.zeros((33, 40, 50), "f4"), np.zeros((9, 40, 60))
    mean = np.zeros((40, 50), "f4")
    biggus.save(
        [a, a[7:40] * 2, a.T[:9], a[::-2].mean(axis=0)],
        [whole, some, turned, mean],
    )
    np.testing.assert_array_equal(whole, values)
    np.testing.assert_array_equal(some, values[7:40] * 2)
    np.testing.assert_array_equal(turned, values.T[:9])
    np.testing.assert_allclose(mean, values[::-2].mean(axis=0), rtol=1e-6)
    times = np.zeros(source.shape, int)
    for box in source.boxes:
        times[box] += 1
    assert len(source.boxes) == 20
    assert (times == 1).all()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_interrupt_during_an_assignment_leaves_the_lock_of_the_library_free():
    def interrupt(*_):
        raise KeyboardInterrupt

    values = np.zeros((1, 1_000_000))
    lock = LibraryLock()
    writer = Assigning(values.astype(complex), "a", values.shape, None, np.asarray, lock)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - raised in any of these
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            for _ in range(1_000):  # one takes longer
                writer.write((slice(0, 1), slice(0, 1_000_000)), values)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not lock._depth
