"""Recognising incomplete JPEG images.

If coded data end too early, libjpeg makes the missing part grey, with a warning that Pillow does
not pass on.  And a progressive image may end after any scan.  So the scans are counted here, and
each stretch of coded data is lengthened for a second decoding: pixels that change depend on
missing data, while the decoder of a complete stretch never reads beyond its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MORE = b"\xa5\xc3\x96\xb8\x8d\xe1\x9a\xd2" * 4
"""The bytes appended to coded data; not zeros, which decoders assume for missing data."""

_COEFFICIENTS = 64
_SIDE = 8
# A pattern that begins with one literal byte is found ten times as fast as one with b"\xff+".
_MARKER = re.compile(rb"\xff\xff*[^\x00\xff]")
_RESTART = re.compile(rb"\xff\xff*[\xd0-\xd7]")
_AFTER_SCAN = re.compile(rb"\xff\xff*[\x01-\xcf\xd8-\xfe]")

_SCAN, _END, _INTERVAL = 0xDA, 0xD9, 0xDD
_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)
_FRAMES = (*_HUFFMAN_FRAMES, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


class CutOffError(ValueError):
    """A part of the image is missing."""

    def __init__(self, part: str) -> None:
        super().__init__(f"the JPEG image is cut off: {part} is missing")


def lengthened(data: bytes) -> bytes | None:
    """Return a JPEG file with bytes appended to each stretch of its coded data.

    It has the same pixels if the file is complete.  None for the rare arithmetic coding, for
    which that does not hold, as it omits zeros at the end.

    Raises
    ------
    CutOffError
        If scans, or restart intervals within them, are missing.
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
    """Yield for each segment its kind, the start and stop of its contents, and its end."""
    position = 2
    while match := _MARKER.search(data, position):
        kind, position = match[0][-1], match.end()
        if kind == _END:
            return
        if kind == 0x01 or 0xD0 <= kind <= 0xD8:
            continue  # markers without contents
        stop = end = position + int.from_bytes(data[position : position + 2])
        if kind == _SCAN:
            after = _AFTER_SCAN.search(data, stop)
            end = after.start() if after else len(data)
        yield kind, position + 2, stop, end
        position = end


class JpegFrame:
    """The header of a frame, and the scans seen so far.

    Parameters
    ----------
    kind : int
        The marker.
    header : bytes
        The contents of its segment.
    """

    def __init__(self, kind: int, header: bytes) -> None:
        self.kind = kind
        self._size = int.from_bytes(header[1:3]), int.from_bytes(header[3:5])
        rows = [header[i : i + 2] for i in range(6, len(header) - 2, 3)]
        # The sampling factors of each component, down and across.
        self._samples = {number: (both & 15 or 1, both >> 4 or 1) for number, both in rows}
        # For each component, the number of missing low bits of each coefficient.
        self._missing = {number: [1] * _COEFFICIENTS for number in self._samples}

    @property
    def complete(self) -> bool:
        """Whether all scans were seen."""
        return bool(self._missing) and not any(map(any, self._missing.values()))

    def note(self, header: bytes) -> None:
        """Note a scan."""
        first, last, low = 0, _COEFFICIENTS - 1, 0
        if self.kind in _PROGRESSIVE and len(header) >= 3:
            first, last, low = header[-3], header[-2], header[-1] & 15
        for number in self._numbers(header):
            self._missing[number][first : last + 1] = [low] * (last + 1 - first)

    def units(self, header: bytes) -> int:
        """Return the number of coded units in a scan."""
        numbers = self._numbers(header)
        most = [max(of[axis] for of in self._samples.values()) for axis in (0, 1)]
        # Several components are interleaved, in units with blocks of all; one has single blocks.
        own = self._samples[numbers[0]] if len(numbers) == 1 else most
        units = 1
        for length, largest, sampled in zip(self._size, most, own, strict=True):
            if len(numbers) == 1:
                units *= _up(_up(length * sampled, largest), _SIDE)
            else:
                units *= _up(length, _SIDE * largest)
        return units

    def _numbers(self, header: bytes) -> list[int]:
        """Return the components of a scan."""
        components = header[1 : 1 + 2 * header[0] : 2] if header else b""
        return [number for number in components if number in self._samples]
