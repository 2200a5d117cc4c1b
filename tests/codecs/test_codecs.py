"""Codecs against other implementations, and damaged data."""

from __future__ import annotations

import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biggus.codecs import deflate, fletcher32
from biggus.codecs.pipeline import DEFLATE, FLETCHER32, Pipeline, shuffle
from biggus.codecs.scratch import MOST_KEPT, scratch
from biggus.codecs.shuffle import unshuffle


def shuffled(data: bytes, width: int) -> bytes:
    count = len(data) // width
    elements = np.frombuffer(data[: count * width], "u1").reshape(count, width)
    return elements.T.tobytes() + data[count * width :]


def checksum(data: bytes) -> int:
    """The checksum by its definition, number by number."""
    first = second = 0
    for i in range(0, len(data), 2):
        high, low = data[i], data[i + 1] if i + 1 < len(data) else 0
        first += high << 8 | low
        second += first
    return sum((n % 65535 or 65535 * (n > 0)) << s for n, s in ((first, 0), (second, 16)))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 16, 24])
@pytest.mark.parametrize("nbytes", [0, 1, 7, 64, 8191, 8192, 8195, 2**19 + 5, 2**20 + 2**18])
def test_unshuffle_inverts_shuffle(width: int, nbytes: int) -> None:
    data = np.random.default_rng(nbytes).integers(0, 256, nbytes, "u1").tobytes()
    out = np.empty(nbytes, "u1")
    assert unshuffle(shuffled(data, width), width, out) is out
    assert out.tobytes() == data


def test_unshuffle_needs_an_output_of_the_same_size() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        unshuffle(b"1234", 2, np.empty(5, "u1"))


@given(st.binary(max_size=64))
def test_checksum_matches_the_definition(data: bytes) -> None:
    assert fletcher32.fletcher32(data) == checksum(data)


@pytest.mark.parametrize("nbytes", [8190, 8192, 8193, 40_001])
@pytest.mark.parametrize("kind", ["zeros", "ones", "random"])
def test_checksum_of_large_data_matches_the_definition(nbytes: int, kind: str) -> None:
    data = {
        "zeros": bytes(nbytes),
        "ones": b"\xff" * nbytes,
        "random": np.random.default_rng(1).integers(0, 256, nbytes, "u1").tobytes(),
    }[kind]
    assert fletcher32.fletcher32(data) == checksum(data)


def test_checksum_does_not_overflow(monkeypatch) -> None:
    """The rows that are summed at once fit in the accumulator, and later rows are added to them."""
    assert fletcher32._MOST_ROWS * 0xFFFF < 2**32
    monkeypatch.setattr(fletcher32, "_MOST_ROWS", 16)
    words = 4096 * 33 + 3
    expected = sum((n % 65535 or 65535) << s for n, s in ((65535, 0), (65535, 16)))
    assert fletcher32.fletcher32(np.full(2 * words, 0xFF, "u1")) == expected
    data = np.zeros(2 * words, "u1")
    data[1] = 1  # counted once per word
    assert fletcher32.fletcher32(data) == (words % 65535) << 16 | 1


def test_checksum_is_accepted_in_either_byte_order() -> None:
    data = b"some bytes"
    kept = fletcher32.fletcher32(data).to_bytes(4, "little")
    assert fletcher32.verified(data + kept) == data
    assert fletcher32.verified(data + bytes([kept[1], kept[0], kept[3], kept[2]])) == data


@pytest.mark.parametrize("position", range(14))
def test_checksum_detects_any_changed_byte(position: int) -> None:
    stored = bytearray(b"some bytes" + checksum(b"some bytes").to_bytes(4, "little"))
    stored[position] ^= 0x10
    with pytest.raises(ValueError, match="fletcher32"):
        fletcher32.verified(stored)


def test_data_shorter_than_a_checksum_raises() -> None:
    with pytest.raises(ValueError, match="too short"):
        fletcher32.verified(b"abc")


@pytest.fixture(params=["zlib", "deflate"])
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if request.param == "deflate":
        pytest.importorskip("deflate")
    else:
        monkeypatch.setitem(sys.modules, "deflate", None)
    deflate._inflater.cache_clear()
    yield deflate.inflate
    deflate._inflater.cache_clear()


DATA = np.arange(1000, dtype="u2").tobytes()


def test_inflate_inverts_deflate(inflater) -> None:
    for data in (b"", b"a", DATA, bytes(100_000)):
        for level in (0, 1, 9):
            assert bytes(inflater(zlib.compress(data, level), len(data))) == data
            assert bytes(inflater(memoryview(zlib.compress(data, level)), len(data))) == data


def test_inflate_ignores_trailing_bytes(inflater) -> None:
    assert bytes(inflater(zlib.compress(DATA) + b"more", len(DATA))) == DATA


@pytest.mark.parametrize("size", [1, 1999, 2001, 10**6])
def test_inflate_to_another_size_raises(inflater, size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        inflater(zlib.compress(DATA), size)


def test_inflate_of_damaged_data_raises(inflater) -> None:
    good = zlib.compress(DATA)
    for stored in (b"", b"x", good[:-1], good[: len(good) // 2], good[:-4] + b"0000"):
        with pytest.raises(ValueError, match="zlib stream"):
            inflater(stored, len(DATA))
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x40
        try:
            found = inflater(bad, len(DATA))
        except ValueError:
            continue
        assert bytes(found) == DATA, "a byte that changed nothing, such as the level"


STAGES = {"shuffle": shuffle(4), "deflate": DEFLATE, "fletcher32": FLETCHER32}


def stored_by(name: str, data: bytes) -> bytes:
    if name == "shuffle":
        return shuffled(data, 4)
    if name == "deflate":
        return zlib.compress(data)
    return data + checksum(data).to_bytes(4, "little")


ORDERS = [
    (),
    ("shuffle",),
    ("deflate",),
    ("fletcher32",),
    ("shuffle", "deflate"),
    ("shuffle", "deflate", "fletcher32"),
    ("fletcher32", "shuffle", "deflate"),
    ("deflate", "shuffle", "fletcher32"),
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("into", [True, False], ids=["into", "anywhere"])
def test_pipeline_skips_the_stages_in_the_filter_mask(order, into: bool) -> None:
    data = np.random.default_rng(3).integers(0, 9, 4096, "u1").tobytes()
    pipeline = Pipeline([STAGES[name] for name in order], len(data))
    for mask in range(2 ** len(order)):
        stored = data
        for number, name in enumerate(order):
            if not mask >> number & 1:
                stored = stored_by(name, stored)
        out = np.zeros(len(data), "u1") if into else None
        found = pipeline.decode(stored, mask, out)
        assert out is None or found is out
        assert bytes(found) == data


@pytest.mark.parametrize("order", [o for o in ORDERS if "deflate" not in o], ids="-".join)
@pytest.mark.parametrize("more", [-1, 1])
def test_pipeline_refuses_stored_bytes_of_another_length(order, more: int) -> None:
    pipeline = Pipeline([STAGES[name] for name in order], 64)
    stored = bytes(64 + 4 * ("fletcher32" in order) + more)
    with pytest.raises(ValueError, match="damaged"):
        pipeline.decode(stored)


def test_two_compressors_raise() -> None:
    data = bytes(100)
    pipeline = Pipeline([DEFLATE, DEFLATE], len(data))
    with pytest.raises(ValueError, match="not supported"):
        pipeline.decode(zlib.compress(data))


def test_scratch_is_reused_unless_it_is_large() -> None:
    small = scratch("test", 100)
    assert np.shares_memory(scratch("test", 50), small)
    assert not np.shares_memory(scratch("another", 50), small)
    large = scratch("test", MOST_KEPT + 1)
    assert large.nbytes == MOST_KEPT + 1
    assert not np.shares_memory(scratch("test", MOST_KEPT + 1), large)
