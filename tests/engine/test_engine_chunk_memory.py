"""Decoded chunks use the memory that a plan leaves; results do not depend on it."""

import numpy as np
import pytest

import biggus
from biggus.sources.base import Source
from biggus.sources.chunk_memory import chunk_memory

VALUES = np.random.default_rng(0).normal(size=(64, 128, 64))
CHUNKS = (64, 8, 64)


class Encoded(Source):
    """A source that records, on each read, how many decoded chunks are in memory."""

    owns_data = True
    io_bound = False
    decodes_chunks = True
    shape, dtype, chunks = VALUES.shape, VALUES.dtype, CHUNKS
    token = "encoded"

    def __init__(self):
        self.held = []

    def __getitem__(self, box):
        self.held.append(chunk_memory.stats())
        return VALUES[box].copy()

    def state(self):
        return b"one"


def test_plan_and_decoded_chunks_fit_in_memory_together():
    source = Encoded()
    array = biggus.ArrayAdapter(source)
    for step in range(2):
        array[step].ndarray()
    assert chunk_memory.stats().nbytes == VALUES.nbytes
    source.token = "another"
    other = biggus.ArrayAdapter(source)
    source.held.clear()
    with biggus.set_options(memory="12 MB", workers=2):
        wanted = [other.mean(axis=0), other.std()]
        peak = biggus.plan(wanted).peak_bytes
        biggus.ndarrays(wanted)
        assert source.held
        assert all(stats.nbytes + peak <= 12_000_000 for stats in source.held)
        assert all(stats.limit == 12_000_000 - peak for stats in source.held)
    assert chunk_memory.stats().limit == 256_000_000


@pytest.mark.parametrize("room", [0, 300_000, 10**8])
def test_results_do_not_depend_on_chunk_memory(room):
    array = biggus.ArrayAdapter(Encoded())
    with biggus.set_options(chunk_memory=0):
        expected = biggus.ndarrays([array.std(axis=0), (array[5:60] * 3).mean(), array[7]])
    with biggus.set_options(chunk_memory=room):
        for _ in range(3):
            found = biggus.ndarrays([array.std(axis=0), (array[5:60] * 3).mean(), array[7]])
            for one, other in zip(found, expected, strict=True):
                assert one.tobytes() == other.tobytes()


def test_chunks_of_an_earlier_pass_are_not_kept_by_the_last():
    """Two passes of one expression do not mean that its chunks will be read again."""
    source = Encoded()
    source.token = "two passes"
    array = biggus.ArrayAdapter(source)
    wanted = (array - array.mean(axis=0)).astype("f4")
    chunk_memory.clear()
    for reads, nbytes in [(2, 0), (3, VALUES.nbytes), (3, VALUES.nbytes)]:
        wanted.ndarray()
        assert len(source.held) == reads
        assert chunk_memory.stats().nbytes == nbytes
