"""Checksums detect flipped bits, lost or moved blocks, and truncation."""

import numpy as np
import pytest

from biggus.cache.checksum import checksum

SIZES = [1 << 16, 100_003, 3_000_007]


@pytest.fixture(params=SIZES)
def data(request):
    return np.random.default_rng(request.param).integers(0, 256, request.param, np.uint8)


def checksum_of(array):
    return checksum([array.data])


def test_checksum_of_parts_is_that_of_the_whole():
    parts = [b"", b"one", bytes(70_000)]
    assert checksum(parts) == checksum([b"".join(parts)])


def test_checksum_does_not_depend_on_alignment(data):
    moved = np.empty(len(data) + 3, np.uint8)[3:]
    moved[...] = data
    assert checksum_of(moved) == checksum_of(data) == checksum([data.tobytes()])


def test_any_flipped_bit_changes_the_checksum(data):
    whole = checksum_of(data)
    random = np.random.default_rng(1)
    places = {0, 7, 8, len(data) - 1, len(data) - 9, *random.integers(0, len(data), 30).tolist()}
    for place in places:
        bit = np.uint8(1 << int(random.integers(8)))
        data[place] ^= bit
        assert checksum_of(data) != whole
        data[place] ^= bit
    assert checksum_of(data) == whole


@pytest.mark.parametrize("block", [8, 512, 4096, 8192])
def test_lost_or_moved_blocks_change_the_checksum(data, block):
    whole = checksum_of(data)
    count = len(data) // block
    for one, other in [(0, 1), (0, count - 1), (1, count // 2 + 1), (2, min(514, count - 1))]:
        changed = data.reshape(-1)[: count * block].reshape(count, block).copy()
        changed[[one, other]] = changed[[other, one]]
        assert checksum_of(np.concatenate([changed.ravel(), data[count * block :]])) != whole
        changed[[one, other]] = changed[[other, one]]
        changed[one] = 0
        assert checksum_of(np.concatenate([changed.ravel(), data[count * block :]])) != whole


def test_truncation_changes_the_checksum():
    zeros = np.zeros(1_000_000, np.uint8)
    found = {checksum_of(zeros[:size]) for size in range(len(zeros) - 20, len(zeros))}
    assert len(found) == 20
