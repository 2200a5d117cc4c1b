"""Tiles that are missing, broken, or of another size or colour raise clear errors."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from PIL import Image, ImageFile
from tile_samples import box_of, pillow, source_of, tile_box
from tile_server import Reply, encoded, image_of

from biggus.backends.tiles.image import ImageError, decode_image
from biggus.errors import SourceError
from biggus.sources.base import read

U1 = np.dtype("u1")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404), r"404 Not Found; `missing=`"),
        (Reply(204), r"204 No Content; `missing=`"),
        (Reply(410), r"410 Gone; `missing=`"),
        (Reply(403), r"403 Forbidden; credentials can be given with `headers=`; .*`absent=403`"),
        (Reply(400), r"400 Bad Request; if this means .* `absent=400` and `missing=`"),
        (Reply(503), r"503 Service Unavailable \(after 3 attempts\)"),
        (Reply(429, headers={"Retry-After": "0"}), r"429 Too Many Requests \(after 3 attempts\)"),
        (Reply(206, body=b"part"), "206 Partial Content"),
        (Reply(599), "status 599"),
        (Reply(body=b"<html>Sorry", type="text/html"), "a page of type text/html, not an image"),
        (Reply(body=b"{}", type="application/json"), "something of type application/json"),
        (Reply(body=b"<html>Sorry", type="image/png"), "not a PNG, JPEG, WebP or GIF image"),
        (Reply(body=b"", type="image/png"), "the response has no body; .*absent=200"),
        (Reply(body=b"\x89PNG\r\n\x1a\n", type="image/png"), "cut off"),
        (Reply(claims=300_000), r"shorter than announced \(after 3 attempts\)"),
        (Reply(hang_up=True), r"connection broke: RemoteDisconnected \(after 3 attempts\)"),
    ],
)
def test_failed_tile_raises_with_its_url_and_box(server, short_backoff, reply, words):
    source = source_of(server, retries=2)
    server.always = reply
    with pytest.raises(SourceError, match=words) as caught:
        read(source, box_of((256, 257), (512, 600), (0, 3)))
    assert f"{server.url}/RGB/3/2/1.png" in str(caught.value)
    assert "[256:257, 512:600, 0:3]" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_tile_of_another_size_suggests_tile_size(server):
    source = source_of(server)
    big = encoded(image_of("RGB", 1, 0, 0, 512), "png")
    server.always = Reply(body=big)
    with pytest.raises(SourceError, match=r"512 x 512 pixels, not 256 x 256; pass `tile_size=512`"):
        read(source, tile_box(source, 0, 0))


@pytest.mark.parametrize("pixels", [(1, 1), (2, 2), (7, 1), (4, 4)])
def test_placeholder_image_suggests_no_tile_size(server, pixels):
    buffer = io.BytesIO()
    Image.new("RGBA", pixels).save(buffer, "PNG")
    source = source_of(server, bands=4)
    server.always = Reply(body=buffer.getvalue())
    with pytest.raises(SourceError, match="not 256 x 256: perhaps it stands for a tile") as caught:
        read(source, tile_box(source, 0, 0))
    assert "tile_size" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-download", "png", "text/html", "text/xml", "none", "a/b; c"],
)
def test_images_of_any_content_type_are_read(server, suffix, kind):
    picture = image_of("L", 1, 0, 0)
    buffer = io.BytesIO()
    picture.save(buffer, suffix.replace("jpg", "jpeg"))
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        expected = np.asarray(decoded.convert("RGB"))
    source = source_of(server)
    server.always = Reply(body=buffer.getvalue(), type=kind)
    np.testing.assert_array_equal(read(source, tile_box(source, 0, 0)), expected)


def test_decompression_bomb_raises_by_its_header(server, recwarn):
    data = bytearray(encoded(image_of("L", 0, 0, 0), "png"))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        decode_image(bytes(data), 256, 1, U1)
    assert not recwarn.list


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_truncated_image_raises_or_is_complete(suffix):
    data = encoded(image_of("RGB", 3, 1, 2, 32), suffix)
    expected = decode_image(data, 32, 3, U1)
    refused = 0
    for n in range(len(data)):
        try:
            values = decode_image(data[:n], 32, 3, U1)
        except ImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(values, expected)
    assert refused > 0.9 * len(data)
    assert suffix != "png" or refused == len(data)


def test_png_with_any_changed_byte_raises():
    data = encoded(image_of("RGB", 3, 1, 2, 32), "png")
    for n in range(len(data)):
        changed = data[:n] + bytes([data[n] ^ 4]) + data[n + 1 :]
        with pytest.raises(ImageError):
            decode_image(changed, 32, 3, U1)


def test_gif_and_broken_exif_are_read(recwarn):
    buffer = io.BytesIO()
    picture = image_of("L", 1, 0, 0, 16)
    picture.save(buffer, "GIF")
    np.testing.assert_array_equal(decode_image(buffer.getvalue(), 16, 1, U1), picture)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    data = buffer.getvalue()
    with pytest.warns(UserWarning, match="EXIF"), Image.open(buffer) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(decode_image(data, 16, 1, U1), expected)
    assert not recwarn.list


def test_truncated_jpeg_raises(server):
    source = source_of(server, suffix="jpg")
    assert len(source[tile_box(source, 0, 0)]) == 256
    data = server.tile("/RGB/3/0/0.jpg")
    server.always = Reply(body=data[: len(data) // 2])
    with pytest.raises(SourceError, match="cannot be decoded"):
        read(source, tile_box(source, 0, 0))


def test_load_truncated_images_of_pillow_raises(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ImageError, match="LOAD_TRUNCATED_IMAGES is set"):
        decode_image(encoded(image_of("RGB", 3, 1, 2, 32), "jpg"), 32, 3, U1)


@pytest.mark.parametrize("mode", ["CMYK", "RGB;16"])
def test_unsupported_colours_raise(mode):
    if mode == "CMYK":
        buffer = io.BytesIO()
        image_of("RGB", 0, 0, 0).convert("CMYK").save(buffer, "JPEG")
        data = buffer.getvalue()
    else:

        def chunk(kind, body):
            return (
                struct.pack(">I", len(body))
                + kind
                + body
                + struct.pack(">I", zlib.crc32(kind + body))
            )

        rows = b"".join(b"\0" + bytes(256 * 6) for _ in range(256))
        data = b"\x89PNG\r\n\x1a\n" + chunk(
            b"IHDR", struct.pack(">IIBBBBB", 256, 256, 16, 2, 0, 0, 0)
        )
        data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match=r"CMYK|16-bit colour cannot be read"):
        decode_image(data, 256, 3, U1)


def test_transparent_colour_needs_four_bands(server):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (1, 2, 3)).save(buffer, "PNG", transparency=(1, 2, 3))
    with pytest.raises(ImageError, match="transparent"):
        decode_image(buffer.getvalue(), 16, 3, U1)
    assert (decode_image(buffer.getvalue(), 16, 4, U1)[..., 3] == 0).all()


@pytest.mark.parametrize("status", [404, 204])
def test_missing_option_fills_missing_tiles_only(server, short_backoff, status):
    source = source_of(server, missing=7, retries=0)
    server.replies["/RGB/3/1/0.png"] = [Reply(status)]
    values, validator = source.fetch(box_of((0, 256), (0, 512), (0, 3)))
    assert (values[:, 256:] == 7).all()
    np.testing.assert_array_equal(values[:, :256], pillow(server, "/RGB/3/0/0.png", "RGB"))
    assert source.revalidate(box_of((0, 256), (0, 512), (0, 3)), validator) == validator
    coloured = source_of(server, missing=(1, 2, 3), retries=0)
    server.replies["/RGB/3/1/0.png"] = [Reply(status)]
    assert (read(coloured, box_of((9, 10), (300, 301), (0, 3))) == [1, 2, 3]).all()
    server.replies["/RGB/3/1/0.png"] = [Reply(500)]
    with pytest.raises(SourceError, match="500"):
        read(source, tile_box(source, 0, 1))
