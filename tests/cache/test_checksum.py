"""Checksums tell all that damages tell: bits, bytes, blocks that are lost, moved or cut off."""

import numpy as np
import pytest

from biggus.cache.checksum import checksum, crc

SIZES = [1 << 16, 100_003, 3_000_007]


@pytest.fixture(params=SIZES)
def data(request):
    return np.random.default_rng(request.param).integers(0, 256, request.param, np.uint8)


def of(array):
    return checksum([array.data])


def test_it_is_that_of_all_parts_together():
    parts = [b"", b"one", bytes(70_000)]
    assert checksum(parts) == checksum([b"".join(parts)])
    assert crc(parts) == crc([b"".join(parts)])


def test_it_is_the_same_wherever_the_bytes_lie(data):
    moved = np.empty(len(data) + 3, np.uint8)[3:]
    moved[...] = data
    assert of(moved) == of(data) == checksum([data.tobytes()])


def test_any_bit_makes_a_difference(data):
    whole = of(data)
    random = np.random.default_rng(1)
    places = {0, 7, 8, len(data) - 1, len(data) - 9, *random.integers(0, len(data), 30).tolist()}
    for place in places:
        bit = np.uint8(1 << int(random.integers(8)))
        data[place] ^= bit
        assert of(data) != whole
        data[place] ^= bit
    assert of(data) == whole


@pytest.mark.parametrize("block", [8, 512, 4096, 8192])
def test_blocks_that_are_lost_or_moved_make_a_difference(data, block):
    whole = of(data)
    count = len(data) // block
    for one, other in [(0, 1), (0, count - 1), (1, count // 2 + 1), (2, min(514, count - 1))]:
        changed = data.reshape(-1)[: count * block].reshape(count, block).copy()
        changed[[one, other]] = changed[[other, one]]
        assert of(np.concatenate([changed.ravel(), data[count * block :]])) != whole
        changed[[one, other]] = changed[[other, one]]
        changed[one] = 0
        assert of(np.concatenate([changed.ravel(), data[count * block :]])) != whole


def test_what_is_cut_off_makes_a_difference():
    zeros = np.zeros(1_000_000, np.uint8)
    found = {of(zeros[:size]) for size in range(len(zeros) - 20, len(zeros))}
    assert len(found) == 20
