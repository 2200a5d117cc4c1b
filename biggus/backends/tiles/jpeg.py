"""JPEG: telling an image of which a part is missing.

libjpeg goes on where coded data come to an end too early, makes grey of what is missing, and
says so in a warning that Pillow does not pass on; and a progressive image is one at whatever
scan it ends.  So the scans are counted here; and each stretch of coded data is lengthened
for a second decoding: pixels that change hang on what is not there.  Whoever decodes a
whole stretch never comes to what follows it.

Pure: decodes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MORE = b"\xa5\xc3\x96\xb8\x8d\xe1\x9a\xd2" * 4
"""What is put behind coded data; decoders take zeros for what is missing, which this is not."""

_COEFFICIENTS = 64
_SIDE = 8
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_AFTER_SCAN = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")

_SCAN, _END, _INTERVAL = 0xDA, 0xD9, 0xDD
_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)
_FRAMES = (*_HUFFMAN_FRAMES, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


class CutOffError(ValueError):
    """A part of the image is missing."""

    def __init__(self, part: str) -> None:
        super().__init__(f"the JPEG image is cut off: {part} is missing")


def lengthened(data: bytes) -> bytes | None:
    """Return a JPEG file with more behind each stretch of its coded data.

    It has the same pixels if the file is whole; None if that cannot be told so, as its
    coding (arithmetic, which hardly anybody uses) leaves out zeros at the end.

    Raises
    ------
    CutOffError
        If it does not have all of its scans, or of the parts that are marked in them.
    """
    pieces, last = [], 0
    frame: JpegFrame | None = None
    interval = 0
    for kind, start, stop, end in _segments(data):
        contents = data[start:stop]
        if kind in _FRAMES:
            frame = JpegFrame(kind, contents)
        elif kind == _INTERVAL:
            interval = int.from_bytes(contents[:2])
        elif kind == _SCAN and frame is not None:
            units = frame.units(contents)
            frame.note(contents)
            coded = data[stop:end]
            if interval:
                coded, restarts = _RESTART.subn(_with_more, coded)
                if restarts < _up(units, interval) - 1:
                    raise CutOffError("a part of its pixels")
            pieces += [data[last:stop], coded, _MORE]
            last = end
    if frame is None or not frame.complete:
        raise CutOffError("a scan")
    return b"".join([*pieces, data[last:]]) if frame.kind in _HUFFMAN_FRAMES else None


def _up(number: int, unit: int) -> int:
    return -(-number // unit)


def _with_more(match: re.Match[bytes]) -> bytes:
    return _MORE + match[0]


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield of each segment its kind, where its contents start and stop, and coded data end."""
    position = 2
    while match := _MARKER.search(data, position):
        kind, position = match[0][-1], match.end()
        if kind == _END:
            return
        if kind == 0x01 or 0xD0 <= kind <= 0xD8:
            continue  # these have no contents
        stop = end = position + int.from_bytes(data[position : position + 2])
        if kind == _SCAN:
            after = _AFTER_SCAN.search(data, stop)
            end = after.start() if after else len(data)
        yield kind, position + 2, stop, end
        position = end


class JpegFrame:
    """What the header of a frame says, and which scans have come.

    Parameters
    ----------
    kind : int
        The marker.
    header : bytes
        What follows it.
    """

    def __init__(self, kind: int, header: bytes) -> None:
        self.kind = kind
        self._size = int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
        rows = [header[i : i + 2] for i in range(6, len(header) - 2, 3)]
        # How often each component is sampled, down and across.
        self._samples = {number: (both & 15 or 1, both >> 4 or 1) for number, both in rows}
        # Of each coefficient of each, the lowest bits that have not come.
        self._missing = {number: [1] * _COEFFICIENTS for number in self._samples}

    @property
    def complete(self) -> bool:
        """Whether all scans have come."""
        return bool(self._missing) and not any(map(any, self._missing.values()))

    def note(self, header: bytes) -> None:
        """Note what a scan brings."""
        first, last, low = 0, _COEFFICIENTS - 1, 0
        if self.kind in _PROGRESSIVE and len(header) >= 3:
            first, last, low = header[-3], header[-2], header[-1] & 15
        for number in self._numbers(header):
            self._missing[number][first : last + 1] = [low] * (last + 1 - first)

    def units(self, header: bytes) -> int:
        """Return how many units are coded one after the other in a scan."""
        numbers = self._numbers(header)
        most = [max(of[axis] for of in self._samples.values()) for axis in (0, 1)]
        # Several components are coded together, in blocks of all; one by itself, block by block.
        own = self._samples[numbers[0]] if len(numbers) == 1 else most
        units = 1
        for length, largest, sampled in zip(self._size, most, own, strict=True):
            if len(numbers) == 1:
                units *= _up(_up(length * sampled, largest), _SIDE)
            else:
                units *= _up(length, _SIDE * largest)
        return units

    def _numbers(self, header: bytes) -> list[int]:
        """Return which components a scan is of."""
        found = header[1 : 1 + 2 * header[0] : 2] if header else b""
        return [number for number in found if number in self._samples]
