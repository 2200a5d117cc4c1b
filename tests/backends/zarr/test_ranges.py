"""Byte ranges: joining, and fetching ahead."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from biggus.backends.zarr import ranges
from biggus.backends.zarr.ranges import Ahead, joined


@st.composite
def drawn_ranges(draw):
    starts = draw(st.lists(st.integers(0, 300), max_size=12))
    return [(start, start + draw(st.integers(0, 40))) for start in starts]


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    """Set limits of a few bytes instead of megabytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "MOST_JOINED", 60)
        patch.setattr(ranges, "_NEAR", 5)
        patch.setattr(ranges, "_FAR", 15)
        yield


@given(drawn_ranges())
def test_joined_ranges_are_near_short_and_mostly_wanted(wanted):
    found = joined(wanted)
    assert found == sorted(found)
    for start, stop in wanted:
        assert start == stop or any(a <= start and stop <= b for a, b in found)
    for start, stop in found:
        inside = [(a, b) for a, b in wanted if start <= a and b <= stop]
        assert stop - start <= 60 or (start, stop) in inside
        covered = {position for a, b in inside for position in range(a, b)}
        gap = longest = 0
        for position in range(start, stop):
            gap = 0 if position in covered else gap + 1
            longest = max(longest, gap)
        assert longest <= (15 if stop - start <= 2 * len(covered) else 10)


@given(drawn_ranges(), st.integers(1, 200), st.randoms())
def test_ahead_returns_the_requested_ranges(wanted, most, random):
    data = bytes(i % 251 for i in range(400))
    calls = []

    def fetch(requested):
        calls.append(requested)
        return [data[start:stop] for start, stop in requested]

    ahead = Ahead(wanted, fetch, most)
    for start, stop in sorted(wanted):
        assert ahead.get(start, stop) == data[start:stop]
    in_order = len(calls)
    assert sum(map(len, calls)) == len(joined(wanted))  # each range is fetched once
    for requested in calls:
        assert len(requested) == 1 or sum(stop - start for start, stop in requested) <= most
    random.shuffle(wanted)
    for start, stop in wanted:
        assert ahead.get(start, stop) == data[start:stop]
    assert len(calls) >= in_order
    assert ahead.get(390, 399) is None
    assert ahead.get(0, 400) is None


def test_distant_ranges_are_not_joined(monkeypatch):
    size = 2**16
    chunks = [(i * size, (i + 1) * size) for i in range(64)]
    monkeypatch.setattr(ranges, "MOST_JOINED", 4 * 2**20)
    monkeypatch.setattr(ranges, "_FAR", 2**18)
    assert joined(chunks) == [(0, 64 * size)]
    assert joined(chunks[::2]) == [(0, 63 * size)]
    assert len(joined(chunks[::4])) == 16
