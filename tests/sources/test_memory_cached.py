"""Decoded chunks stay in memory: each is decoded once, with the right values."""

import os
import pickle
import threading

import numpy as np
import pytest

import biggus
from biggus.sources.base import Source, read, whole
from biggus.sources.chunk_memory import chunk_memory
from biggus.sources.memory_cached import MemoryCached

SHAPE = (20, 25, 15)
CHUNKS = (8, 10, 10)


pytestmark = pytest.mark.usefixtures("settled")


class Encoded(Source):
    """A source that records the boxes decoded from it."""

    owns_data = True
    io_bound = False
    decodes_chunks = True

    def __init__(self, values, chunks=CHUNKS, token="encoded"):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.masked = isinstance(values, np.ma.MaskedArray)
        self.chunks = chunks
        self.token = token
        self.now = b"one"
        self.decoded = []

    def __getitem__(self, box):
        self.decoded.append(box)
        return self.values[box].copy()

    def state(self):
        return self.now


def numbers(shape=SHAPE, dtype="f4"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def boxes(rng, shape, count):
    for _ in range(count):
        box = []
        for n in shape:
            start, stop = sorted(rng.choice(n + 1, 2, replace=False).tolist())
            box.append(slice(start, stop, int(rng.integers(1, 4))))
        yield tuple(box)


def hdf5(path, values):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values, chunks=CHUNKS, compression="gzip")


def netcdf(path, values):
    netcdf4 = pytest.importorskip("netCDF4")
    with netcdf4.Dataset(path, "w") as file:
        for name, n in zip("tyx", values.shape, strict=True):
            file.createDimension(name, n)
        file.createVariable("v", "f4", ("t", "y", "x"), zlib=True, chunksizes=CHUNKS)[:] = values


def zarr(path, values):
    module = pytest.importorskip("zarr")
    module.create_array(str(path), data=values, chunks=CHUNKS, name="v", overwrite=True)


STORES = {"a.h5": hdf5, "a.nc": netcdf, "a.zarr": zarr}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("room", [10**6, 3 * 8 * 10 * 10 * 5, 1, 0])
def test_random_boxes_match_numpy(room, masked):
    values = numbers()
    if masked:
        values = np.ma.masked_where(values % 7 == 0, values)
    with biggus.set_options(chunk_memory=room):
        source = MemoryCached(Encoded(values))
        for box in boxes(np.random.default_rng(1), SHAPE, 150):
            found = read(source, box)
            np.testing.assert_array_equal(
                np.ma.getmaskarray(found), np.ma.getmaskarray(values[box])
            )
            np.testing.assert_array_equal(np.ma.filled(found, -1), np.ma.filled(values[box], -1))
            if not masked:
                out = np.empty(found.shape, "f4")
                assert source.read_into(box, out) == (room > 0)
                if room:
                    np.testing.assert_array_equal(out, values[box])
        assert chunk_memory.stats().nbytes <= room


@pytest.mark.parametrize("name", STORES)
def test_loop_over_steps_decodes_each_chunk_once(tmp_path, name):
    values = numbers()
    STORES[name](tmp_path / name, values)
    lazy = biggus.open(tmp_path / name, "v")
    before = chunk_memory.stats()
    for step in range(SHAPE[0]):
        found = lazy[step].ndarray()
        np.testing.assert_array_equal(found, values[step])
        found[...] = -1  # the result does not share memory with the chunks
    after = chunk_memory.stats()
    assert after.misses - before.misses == after.chunks == 3 * 3 * 2
    assert after.hits - before.hits == (SHAPE[0] - 3) * 3 * 2


@pytest.mark.parametrize("name", STORES)
def test_changed_file_is_read_again(tmp_path, name):
    values = numbers()
    STORES[name](tmp_path / name, values)
    lazy = biggus.open(tmp_path / name, "v")
    for _ in range(3):
        assert lazy[0, 0, :5].ndarray().tolist() == values[0, 0, :5].tolist()
    if name == "a.zarr":
        for chunk in (tmp_path / name / "v" / "c" / "0" / "0" / "0", tmp_path / name):
            assert chunk.exists()
        pytest.importorskip("zarr").open_array(str(tmp_path / name), path="v")[...] = values + 7
    else:
        STORES[name](tmp_path / "new", values + 7)
        (tmp_path / "new").replace(tmp_path / name)
    assert lazy[0, 0, :5].ndarray().tolist() == (values[0, 0, :5] + 7).tolist()


def test_bulk_read_keeps_no_chunks():
    encoded = Encoded(numbers((64, 64, 64)), chunks=(32, 32, 32))
    source = MemoryCached(encoded)
    for step in range(0, 64, 32):
        read(source, (slice(step, step + 32, 1), *whole((64, 64, 64))[1:]))
    assert chunk_memory.stats().chunks == 0


def test_repeated_bulk_read_keeps_chunks():
    encoded = Encoded(numbers((64, 64, 64)), chunks=(32, 32, 32))
    lazy = biggus.ArrayAdapter(encoded)
    for _ in range(4):
        found = lazy.ndarray()
        np.testing.assert_array_equal(found, encoded.values)
        found[...] = -1
    assert len(encoded.decoded) == 2
    np.testing.assert_array_equal(lazy[5, ::2].ndarray(), encoded.values[5, ::2])
    assert len(encoded.decoded) == 2


def test_part_of_a_chunk_is_a_read_only_view():
    source = MemoryCached(Encoded(numbers()))
    box = (slice(0, 2, 1), slice(0, 2, 1), slice(0, 2, 1))
    one, other = read(source, box), read(source, box)
    assert np.shares_memory(one, other)
    assert not one.flags.writeable


def test_changed_state_is_a_miss():
    encoded = Encoded(numbers())
    source = MemoryCached(encoded)
    corner = (slice(0, 1, 1),) * 3
    for state in (b"one", b"one", b"two", b"two", None, None):
        encoded.now = state
        read(source, corner)
    assert len(encoded.decoded) == 4


def test_arrays_of_one_file_share_chunks():
    one, other = Encoded(numbers()), Encoded(numbers())
    corner = (slice(0, 1, 1),) * 3
    read(MemoryCached(one), corner)
    read(pickle.loads(pickle.dumps(MemoryCached(other))), corner)
    read(MemoryCached(other), corner)
    assert len(one.decoded) == 1
    assert other.decoded == []


def test_concurrent_threads_decode_a_chunk_once():
    gate, inside = threading.Event(), threading.Event()

    class Slow(Encoded):
        def __getitem__(self, box):
            inside.set()
            assert gate.wait(60)
            return super().__getitem__(box)

    encoded = Slow(numbers())
    source = MemoryCached(encoded)
    found = []
    work = [
        threading.Thread(target=lambda: found.append(read(source, (slice(1, 2, 1),) * 3)))
        for _ in range(4)
    ]
    for thread in work:
        thread.start()
    assert inside.wait(60)
    gate.set()
    for thread in work:
        thread.join()
    assert len(encoded.decoded) == 1
    assert [each.item() for each in found] == [encoded.values[1, 1, 1]] * 4


def test_failed_reads_are_not_kept():
    class Failing(Encoded):
        def __getitem__(self, box):
            super().__getitem__(box)
            raise OSError("damaged")

    encoded = Failing(numbers())
    for _ in range(2):
        with pytest.raises(biggus.SourceError, match="damaged"):
            biggus.ArrayAdapter(encoded)[0, 0, 0].ndarray()
    assert len(encoded.decoded) == 2


def test_disk_cache_beneath_the_chunk_memory(tmp_path):
    encoded = Encoded(numbers())
    with biggus.Cache(tmp_path) as cache:
        lazy = biggus.ArrayAdapter(encoded, cache=cache)
        for step in range(8):
            np.testing.assert_array_equal(lazy[step].ndarray(), encoded.values[step])
        assert cache.stats().misses == len(encoded.decoded) == 6
        assert cache.stats().hits == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_child_starts_with_an_empty_memory():
    source = MemoryCached(Encoded(numbers()))
    read(source, (slice(0, 1, 1),) * 3)
    child = os.fork()
    if not child:
        os._exit(3 if not len(chunk_memory) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_too_small_chunk_memory_warns_once(caplog):
    encoded = Encoded(numbers(), token="warned once")
    lazy = biggus.ArrayAdapter(encoded)
    with biggus.set_options(chunk_memory=8 * 10 * 10 * 4):
        for step in range(8):
            np.testing.assert_array_equal(lazy[step].ndarray(), encoded.values[step])
    (record,) = [each for each in caplog.records if each.name == "biggus.sources"]
    assert "6 chunks of 12 kB together" in record.getMessage()
    assert "set_options(chunk_memory=...)" in record.getMessage()
    assert len(encoded.decoded) < 8 * 6  # a part of it stays


def test_plan_shows_bytes_in_memory_and_repeated_decoding():
    lazy = biggus.ArrayAdapter(Encoded(numbers()))
    before = biggus.plan([lazy[0]])
    assert (before.in_memory_bytes, before.passes[0].decodes_again) == (0, False)
    lazy[0].ndarray()
    plan = biggus.plan([lazy[1]])
    assert plan.in_memory_bytes == plan.read_bytes == 25 * 15 * 4
    assert "1.5 kB in memory" in str(plan)
    with biggus.set_options(chunk_memory=8 * 10 * 10 * 4):
        plan = biggus.plan([lazy[1]])
        assert plan.passes[0].decodes_again
        assert "or save it once in other chunks" in str(plan)
        assert not biggus.plan([lazy]).passes[0].decodes_again


@pytest.mark.parametrize("chunks", [CHUNKS, (8, (10, 4, 11), 10)])
def test_selection_within_one_chunk_is_taken_from_memory(chunks):
    source = MemoryCached(Encoded(numbers(), chunks))
    array = biggus.ArrayAdapter(source)
    for _ in range(2):
        read(source, whole(SHAPE))
    decoded = len(source.source.decoded)
    for key in (
        np.s_[7, 3, 9],
        np.s_[0:8, 10:20, 0:10],
        np.s_[17:20, 22, 10:15],
        np.s_[7:9, 3, 2],
        np.s_[1, ::2, 3],
        np.s_[1, None, 3:5, 2],
        np.s_[-1, -3:, 11],
        np.s_[3:1, 2, 2],
    ):
        found = array[key].ndarray()
        np.testing.assert_array_equal(found, numbers()[key], strict=True)
        assert found.flags.writeable
        assert found.flags.c_contiguous
    np.testing.assert_array_equal(array.T[2:5, 3:9, 1].ndarray(), numbers().T[2:5, 3:9, 1])
    assert len(source.source.decoded) == decoded
    source.source.now = b"two"
    source.source.values = numbers() + 1
    assert array[7, 3, 9].ndarray() == numbers()[7, 3, 9] + 1
