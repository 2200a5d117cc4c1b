"""JPEG images with missing parts that have an end marker."""

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("urllib3")

from tile_server import Reply, TileServer, image_of

from biggus.backends.http import client as http
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.backends.tiles.image import BrokenImageError, ImageError, decode_image
from biggus.backends.tiles.jpeg import CutOffError, JpegFrame, lengthened
from biggus.errors import SourceError
from biggus.sources.base import read

END = b"\xff\xd9"
SIZE = 48
ROUGH = np.random.default_rng(5).integers(0, 255, (SIZE, SIZE, 3), dtype="u1")
FLAT = np.full((SIZE, SIZE, 3), 90, "u1")

VARIANTS = {
    "baseline": {"subsampling": 0},
    "subsampled": {"subsampling": 2},
    "optimized": {"optimize": True, "subsampling": 1},
    "progressive": {"progressive": True, "subsampling": 2},
    "restarts in rows": {"restart_marker_rows": 1},
    "restarts in blocks": {"restart_marker_blocks": 3, "subsampling": 0},
    "progressive restarts": {"progressive": True, "restart_marker_rows": 1},
    "coarse": {"quality": 1},
    "fine": {"quality": 100},
}


def jpeg(pixels, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def decoded(data, bands):
    return decode_image(data, SIZE, bands, np.dtype("u1"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_truncated_jpeg_with_an_end_marker_raises(variant, mode):
    options = {
        name: value for name, value in VARIANTS[variant].items() if mode == "RGB" or name[0] != "s"
    }
    bands = 3 if mode == "RGB" else 1
    for pixels in (ROUGH, FLAT):
        whole = jpeg(pixels, mode, **options)
        expected = decoded(whole, bands)
        first = whole.index(b"\xff\xda") + 14
        refused = 0
        stops = range(first, len(whole) - 2, 1 + (len(whole) - first) // 150)
        for stop in stops:
            try:
                found = decoded(whole[:stop] + END, bands)
            except ImageError as error:
                refused += 1
                assert "cut off" in str(error) or "cannot be decoded" in str(error)  # noqa: PT017
            else:
                assert np.array_equal(found, expected)  # the missing bytes held no pixels
        assert refused >= len(stops) - 4


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (17, 33), (64, 40)])
def test_lengthened_jpegs_decode_the_same(variant, mode, shape):
    options = {
        name: value for name, value in VARIANTS[variant].items() if mode == "RGB" or name[0] != "s"
    }
    rough = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype="u1")
    for pixels in (rough, np.zeros_like(rough), np.full_like(rough, 255)):
        data = jpeg(pixels, mode, **options)
        longer = lengthened(data)
        assert len(longer) > len(data)
        found = [np.asarray(Image.open(io.BytesIO(one))) for one in (data, longer)]
        assert np.array_equal(*found)


@pytest.mark.parametrize("lost", [0, -1])
def test_missing_restart_interval_raises(lost):
    whole = jpeg(ROUGH, restart_marker_rows=1)
    marks = [i for i in range(len(whole) - 1) if whole[i] == 0xFF and 0xD0 <= whole[i + 1] <= 0xD7]
    assert len(marks) > 1
    # The cut is at the end of a restart interval, so that the other intervals are complete.
    for stop in (marks[lost], marks[lost] + 2):
        with pytest.raises(BrokenImageError, match="cut off: a part of its pixels is missing"):
            decoded(whole[:stop] + END, 3)


def test_missing_last_scan_raises():
    whole = jpeg(ROUGH, progressive=True)
    last = whole.rindex(b"\xff\xda")
    with pytest.raises(BrokenImageError, match="cut off: a scan is missing"):
        decoded(whole[:last] + END, 3)


def test_jpeg_without_a_frame_raises():
    for data in (b"", END, b"\xff\xd8" + END, b"\xff\xd8\xff\xda\0\x08\1\1\0\0\x3f\0ab" + END):
        with pytest.raises(CutOffError):
            lengthened(data)


def test_truncated_header_raises_no_other_error():
    whole = jpeg(ROUGH, progressive=True, restart_marker_rows=1)
    refused = 0
    for stop in range(0, len(whole), 7):
        for data in (whole[:stop], whole[:stop] + END):
            try:
                lengthened(data)
            except CutOffError:
                refused += 1
    assert refused


@pytest.mark.parametrize(
    ("samples", "numbers", "units"),
    [
        ([(1, 0x22), (2, 0x11), (3, 0x11)], [1, 2, 3], 2 * 3),
        ([(1, 0x22), (2, 0x11), (3, 0x11)], [1], 3 * 5),
        ([(1, 0x22), (2, 0x11), (3, 0x11)], [2], 2 * 3),
        ([(1, 0x21), (2, 0x11), (3, 0x11)], [1, 2, 3], 3 * 3),
        ([(1, 0x11)], [1], 3 * 5),
        ([(1, 0x22)], [1], 3 * 5),
    ],
)
def test_units_of_a_scan(samples, numbers, units):
    rows, columns = 17, 33
    size = rows.to_bytes(2) + columns.to_bytes(2)
    header = b"\x08" + size + bytes([len(samples)]) + b"".join(bytes([*s, 0]) for s in samples)
    scan = bytes([len(numbers), *(byte for n in numbers for byte in (n, 0)), 0, 63, 0])
    assert JpegFrame(0xC0, header).units(scan) == units


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)
    server = TileServer().start()
    yield server
    server.stop()


PATH = "/RGB/3/2/1.jpg?size=48"
BOX = (slice(48, 96, 1), slice(96, 144, 1), slice(0, 3, 1))


def source_of(server, **options):
    template = Location(server.url + "/RGB/{z}/{x}/{y}.jpg?size=48")
    return TilesBackend().open(template, zoom=3, tile_size=SIZE, **options)


def broken_replies():
    whole = jpeg(np.asarray(image_of("RGB", 3, 2, 1, SIZE)))
    cut = whole[: len(whole) * 6 // 10]
    png = b"\x89PNG\r\n\x1a\n" + bytes(30)
    return [cut, cut + END, png, b"no image", b"RIFF\x99\0\0\0WEBPVP8 "]


@pytest.mark.parametrize("number", range(5))
def test_broken_tile_is_requested_once_more(server, number):
    body = broken_replies()[number]
    server.replies[PATH] = [Reply(body=body)]
    source = source_of(server)
    expected = decoded(server.tile(PATH), 3)
    assert np.array_equal(read(source, BOX), expected)
    assert server.requests[PATH] == 2
    assert "Cache-Control" not in server.seen[0][1]
    assert server.seen[1][1]["Cache-Control"] == "no-cache"
    # Once only, and not at all with retries=0.
    server.replies[PATH] = [Reply(body=body)] * 9
    with pytest.raises(SourceError):
        read(source, BOX)
    assert server.requests[PATH] == 4
    with pytest.raises(SourceError):
        read(source_of(server, retries=0), BOX)
    assert server.requests[PATH] == 5


def test_tile_of_another_size_is_not_requested_again(server):
    other = jpeg(np.zeros((16, 16, 3), "u1"))
    server.replies[PATH] = [Reply(body=other)] * 2
    with pytest.raises(SourceError, match="16 x 16 pixels"):
        read(source_of(server), BOX)
    assert server.requests[PATH] == 1
