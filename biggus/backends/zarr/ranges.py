"""Joining ranges of bytes of one object, to fetch many of them with few requests."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
"""The start and stop of bytes in an object."""

MOST_JOINED = 4 * 2**20
"""The most bytes of several ranges that are fetched as one."""

MOST_AHEAD = 2 * MOST_JOINED
"""The most bytes that are fetched at once, if there are several ranges."""

_NEAR = 2**14
"""The most bytes of a gap that costs less to fetch than another request."""

_FAR = 2**18
"""Bytes; a larger gap is never fetched, and one larger than `_NEAR` only if at least half of the
joined range is wanted."""


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that are near each other.

    Examples
    --------
    >>> joined([(30_000, 40_000), (0, 10_000), (10_000, 25_000)])
    [(0, 40000)]
    >>> joined([(0, 10_000), (30_000, 35_000)])
    [(0, 10000), (30000, 35000)]
    """
    ranges_joined: list[Range] = []
    wanted = 0
    for start, stop in sorted(ranges):
        if start == stop:
            continue
        if ranges_joined:
            first, last = ranges_joined[-1]
            gap, end = max(0, start - last), max(last, stop)
            more = max(0, stop - max(start, last))
            near = gap <= _NEAR or (gap <= _FAR and end - first <= 2 * (wanted + more))
            if end == last or (near and end - first <= MOST_JOINED):
                ranges_joined[-1] = first, end
                wanted += more
                continue
        ranges_joined.append((start, stop))
        wanted = stop - start
    return ranges_joined


class Ahead:
    """Fetches ranges of bytes ahead, several at a time.

    Parameters
    ----------
    ranges : iterable of (int, int)
        The ranges that will be requested, best in ascending order.
    fetch : callable
        Returns the bytes of each of a list of ranges.
    most : int
        The most bytes to hold, if there are several ranges; earlier ones are dropped.
    """

    def __init__(
        self,
        ranges: Iterable[Range],
        fetch: Callable[[list[Range]], list[bytes]],
        most: int,
    ) -> None:
        self._ranges = joined(ranges)
        self._starts = [start for start, _ in self._ranges]
        self._fetch = fetch
        self._most = most
        self._held: dict[int, bytes] = {}

    def get(self, start: int, stop: int) -> bytes | None:
        """Return the bytes of a range; None if it is not in any of the ranges given."""
        if start == stop:
            return b""
        number = bisect_right(self._starts, start) - 1
        if number < 0 or stop > self._ranges[number][1]:
            return None
        if number not in self._held:
            self._fetch_from(number)
        data, first = self._held[number], self._starts[number]
        return data if len(data) == stop - start else data[start - first : stop - first]

    def _fetch_from(self, number: int) -> None:
        self._held.clear()
        last, size = number, 0
        while last < len(self._ranges):
            start, stop = self._ranges[last]
            size += stop - start
            if last > number and size > self._most:
                break
            last += 1
        data = self._fetch(self._ranges[number:last])
        self._held.update(zip(range(number, last), data, strict=True))
