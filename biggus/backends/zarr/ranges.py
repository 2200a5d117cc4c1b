"""Ranges of bytes of one object: joined, so that few requests bring many of them.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Range: TypeAlias = tuple[int, int]
"""Where bytes start and stop in an object."""

MOST_JOINED = 4 * 2**20
"""Bytes; several ranges that are fetched as one are not longer."""

MOST_AHEAD = 2 * MOST_JOINED
"""Bytes; so many are fetched at once, if there are several ranges."""

_NEAR = 2**14
"""Bytes; to fetch a gap that is no longer costs less than another request."""

_FAR = 2**18
"""Bytes; a gap that is longer is never fetched, one between only with as much that is wanted."""


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that lie near one another.

    Examples
    --------
    >>> joined([(30_000, 40_000), (0, 10_000), (10_000, 25_000)])
    [(0, 40000)]
    >>> joined([(0, 10_000), (30_000, 35_000)])
    [(0, 10000), (30000, 35000)]
    """
    found: list[Range] = []
    wanted = 0
    for start, stop in sorted(ranges):
        if start == stop:
            continue
        if found:
            first, last = found[-1]
            gap, end = max(0, start - last), max(last, stop)
            more = max(0, stop - max(start, last))
            near = gap <= _NEAR or (gap <= _FAR and end - first <= 2 * (wanted + more))
            if end == last or (near and end - first <= MOST_JOINED):
                found[-1] = first, end
                wanted += more
                continue
        found.append((start, stop))
        wanted = stop - start
    return found


class Ahead:
    """Bytes that are fetched before they are asked for, a few ranges at a time.

    Parameters
    ----------
    ranges : iterable of (int, int)
        What will be asked for, most cheaply in the order of where it lies.
    fetch : callable
        Gives the bytes of a list of ranges, all of them.
    most : int
        So many bytes are held, if there are several ranges; no longer needed is what
        lies before what is asked for.
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
        """Return the bytes of a range; None if it was not told of."""
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
        found = self._fetch(self._ranges[number:last])
        self._held.update(zip(range(number, last), found, strict=True))
