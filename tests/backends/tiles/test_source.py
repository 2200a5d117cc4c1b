"""Tiles of a real server; what Pillow decodes is the oracle."""

import io
import json
import logging
import os
import pickle
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from tile_server import Reply, TileServer, encoded, image_of

import biggus
from biggus.backends.http import client as http
from biggus.backends.location import Location
from biggus.backends.registry import backend_for
from biggus.backends.tiles.backend import TilesBackend
from biggus.backends.tiles.image import ImageError, decode_image
from biggus.errors import MissingDependencyError, OpenError, SourceError, VariableError
from biggus.sources.base import read, whole

U1 = np.dtype("u1")


@pytest.fixture
def server():
    server = TileServer().start()
    yield server
    server.stop()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF_SECONDS", 0.001)


def source_of(server, mode="RGB", suffix="png", size=256, zoom=3, **options):
    query = "" if size == 256 else f"?size={size}"
    template = f"{server.url}/{mode}/{{z}}/{{x}}/{{y}}.{suffix}{query}"
    return TilesBackend().open(Location(template), zoom=zoom, tile_size=size, **options)


def box_of(*ranges):
    return tuple(slice(*r) if len(r) == 3 else slice(*r, 1) for r in ranges)


def tile_box(source, i, j):
    return source._grid.chunk((i, j) + (0,) * (len(source.shape) - 2))


def pillow(server, path, mode):
    with Image.open(io.BytesIO(server.tile(path))) as image:
        return np.asarray(image.convert(mode))


# --- values ---------------------------------------------------------------------------------


def test_a_template_is_an_array_that_has_asked_for_nothing(server):
    location = Location(server.url + "/RGB/{z}/{x}/{y}.jpg")
    backend = backend_for(location)
    assert backend.variables(location, zoom=9) == ("tiles",)
    source = backend.open(location, "tiles", zoom=9)
    assert source.shape == (131072, 131072, 3)
    assert source.dtype == "u1"
    assert source.chunks == (256, 256, 3)
    assert source.dims == ("y", "x", "band")
    assert (source.io_bound, source.remote, source.in_memory, source.lock) == (
        True,
        True,
        False,
        None,
    )
    assert source.name == server.url + "/RGB/9/{x}/{y}.jpg"
    assert source.validator(tile_box(source, 0, 0)) is None
    assert server.connections == 0


@pytest.mark.parametrize(
    ("suffix", "mode", "bands", "oracle"),
    [
        ("png", "RGB", 3, "RGB"),
        ("png", "RGB", 4, "RGBA"),
        ("png", "L", 1, "L"),
        ("png", "L", 3, "RGB"),
        ("png", "L", 4, "RGBA"),
        ("png", "RGBA", 4, "RGBA"),
        ("png", "OPAQUE", 3, "RGB"),
        ("png", "LA", 4, "RGBA"),
        ("png", "LAO", 3, "RGB"),
        ("png", "LAO", 1, "L"),
        ("png", "P", 3, "RGB"),
        ("png", "P", 4, "RGBA"),
        ("png", "1", 1, "L"),
        ("png", "1", 3, "RGB"),
        ("jpg", "RGB", 3, "RGB"),
        ("jpg", "RGB", 4, "RGBA"),
        ("jpg", "L", 1, "L"),
        ("jpg", "L", 3, "RGB"),
        ("webp", "RGB", 3, "RGB"),
        ("webp", "RGB", 4, "RGBA"),
        ("webp", "RGBA", 4, "RGBA"),
        ("webp", "OPAQUE", 3, "RGB"),
    ],
)
def test_pixels_are_those_that_pillow_decodes(server, suffix, mode, bands, oracle):
    source = source_of(server, mode, suffix, bands=bands)
    values = read(source, tile_box(source, 2, 5))
    np.testing.assert_array_equal(values, pillow(server, f"/{mode}/3/5/2.{suffix}", oracle))
    assert values.shape == source.chunks
    assert sum(server.requests.values()) == 1


def test_sixteen_bits_are_kept(server):
    source = source_of(server, "I;16", bands=1, dtype="u2")
    values = read(source, tile_box(source, 2, 5))
    np.testing.assert_array_equal(values, np.asarray(image_of("I;16", 3, 5, 2)))
    assert values.max() > 255


@pytest.mark.parametrize(
    ("mode", "options", "words"),
    [
        ("RGBA", {"bands": 3}, "transparent pixels; pass bands=4"),
        ("LA", {"bands": 3}, "transparent pixels; pass bands=4"),
        ("LA", {"bands": 1}, "transparent pixels; pass bands=4"),
        ("RGB", {"bands": 1}, "not grey; pass bands=3"),
        ("P", {"bands": 1}, "not grey; pass bands=3"),
        ("I;16", {"bands": 1}, "pass bands=1, dtype='u2'"),
        ("I;16", {"bands": 3}, "pass bands=1, dtype='u2'"),
        ("L", {"bands": 1, "dtype": "u2"}, "pass dtype='u1'"),
    ],
)
def test_nothing_is_narrowed(server, mode, options, words):
    source = source_of(server, mode, **options)
    with pytest.raises(SourceError, match=words) as caught:
        read(source, tile_box(source, 0, 0))
    assert f"/{mode}/3/0/0.png" in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_box_is_pasted_from_its_tiles(server, data):
    source = source_of(server, size=8, zoom=3)
    paths = [[f"/RGB/3/{x}/{y}.png?size=8" for x in range(8)] for y in range(8)]
    world = np.block([[[pillow(server, path, "RGB")] for path in row] for row in paths])

    def cut(n):
        start = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(start + 1, n))
        return slice(start, stop, data.draw(st.integers(1, 20)))

    box = tuple(cut(n) for n in source.shape)
    server.requests.clear()
    np.testing.assert_array_equal(read(source, box), world[box])
    rows, columns = ({i // 8 for i in range(s.start, s.stop, s.step)} for s in box[:2])
    assert set(server.requests) == {paths[i][j] for i in rows for j in columns}
    assert set(server.requests.values()) == {1}


def test_rows_from_the_south_and_quadkeys_find_the_same_tiles(server):
    def options(template):
        return TilesBackend().open(Location(server.url + template), zoom=3)

    tms = options("/RGB/{z}/{x}/{-y}.png")
    box = tile_box(tms, 1, 4)
    np.testing.assert_array_equal(read(tms, box), pillow(server, "/RGB/3/4/6.png", "RGB"))
    server.replies["/q/102.png"] = [Reply(body=server.tile("/RGB/3/4/1.png"))]
    # Column 4 = 0b100, row 1 = 0b001: east, nothing, south.
    np.testing.assert_array_equal(
        read(options("/q/{q}.png"), box), pillow(server, "/RGB/3/4/1.png", "RGB")
    )


# --- what is no tile ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404), r"404 Not Found; with missing="),
        (Reply(204), r"204 No Content; with missing="),
        (Reply(410), r"410 Gone; with missing="),
        (Reply(403), r"403 Forbidden; credentials can be given with headers=; .*absent=403"),
        (Reply(400), r"400 Bad Request; if that means .* absent=400 and missing= fill it"),
        (Reply(503), r"503 Service Unavailable \(after 3 attempts\)"),
        (Reply(429, headers={"Retry-After": "0"}), r"429 Too Many Requests \(after 3 attempts\)"),
        (Reply(206, body=b"part"), "206 Partial Content"),
        (Reply(599), "status 599"),
        (Reply(body=b"<html>Sorry", type="text/html"), "a page of type text/html, not an image"),
        (Reply(body=b"{}", type="application/json"), "something of type application/json"),
        (Reply(body=b"<html>Sorry", type="image/png"), "no PNG, JPEG, WebP or GIF image"),
        (Reply(body=b"", type="image/png"), "the answer has no body; .*absent=200"),
        (Reply(body=b"\x89PNG\r\n\x1a\n", type="image/png"), "cut off"),
        (Reply(claims=300_000), r"shorter than announced \(after 3 attempts\)"),
        (Reply(hang_up=True), r"connection broke: RemoteDisconnected \(after 3 attempts\)"),
    ],
)
def test_what_is_no_tile_is_an_error_that_names_it(server, quick, reply, words):
    source = source_of(server, retries=2)
    server.always = reply
    with pytest.raises(SourceError, match=words) as caught:
        read(source, box_of((256, 257), (512, 600), (0, 3)))
    assert f"{server.url}/RGB/3/2/1.png" in str(caught.value)
    assert "[256:257, 512:600, 0:3]" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_another_size_is_an_error_that_says_what_to_pass(server):
    source = source_of(server)
    big = encoded(image_of("RGB", 1, 0, 0, 512), "png")
    server.always = Reply(body=big)
    with pytest.raises(SourceError, match=r"512 x 512 pixels, not 256 x 256; pass tile_size=512"):
        read(source, tile_box(source, 0, 0))


@pytest.mark.parametrize("pixels", [(1, 1), (2, 2), (7, 1), (4, 4)])
def test_a_placeholder_is_no_size_for_tiles(server, pixels):
    buffer = io.BytesIO()
    Image.new("RGBA", pixels).save(buffer, "PNG")
    source = source_of(server, bands=4)
    server.always = Reply(body=buffer.getvalue())
    with pytest.raises(SourceError, match="not 256 x 256: it stands for a tile") as caught:
        read(source, tile_box(source, 0, 0))
    assert "tile_size" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-download", "png", "text/html", "text/xml", "none", "a/b; c"],
)
def test_an_image_is_one_whatever_it_is_said_to_be(server, suffix, kind):
    picture = image_of("L", 1, 0, 0)
    buffer = io.BytesIO()
    picture.save(buffer, suffix.replace("jpg", "jpeg"))
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        right = np.asarray(decoded.convert("RGB"))
    source = source_of(server)
    server.always = Reply(body=buffer.getvalue(), type=kind)
    np.testing.assert_array_equal(read(source, tile_box(source, 0, 0)), right)


def test_a_bomb_is_refused_by_its_header(server, recwarn):
    data = bytearray(encoded(image_of("L", 0, 0, 0), "png"))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        decode_image(bytes(data), 256, 1, U1)
    assert not recwarn.list


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_an_image_cut_anywhere_is_whole_or_an_error(suffix):
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


def test_a_png_with_any_byte_changed_is_an_error():
    data = encoded(image_of("RGB", 3, 1, 2, 32), "png")
    for n in range(len(data)):
        changed = data[:n] + bytes([data[n] ^ 4]) + data[n + 1 :]
        with pytest.raises(ImageError):
            decode_image(changed, 32, 3, U1)


def test_a_gif_and_an_image_with_broken_exif_are_read(recwarn):
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


def test_a_cut_jpeg_of_the_announced_length_is_an_error(server):
    source = source_of(server, suffix="jpg")
    assert len(source[tile_box(source, 0, 0)]) == 256
    data = server.tile("/RGB/3/0/0.jpg")
    server.always = Reply(body=data[: len(data) // 2])
    with pytest.raises(SourceError, match="cannot be decoded"):
        read(source, tile_box(source, 0, 0))


def test_pillow_told_to_accept_cut_images_is_not_trusted(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ImageError, match="LOAD_TRUNCATED_IMAGES is set"):
        decode_image(encoded(image_of("RGB", 3, 1, 2, 32), "jpg"), 32, 3, U1)


@pytest.mark.parametrize("mode", ["CMYK", "RGB;16"])
def test_colours_that_cannot_be_kept_are_an_error(mode):
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


def test_a_colour_marked_transparent_counts(server):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (1, 2, 3)).save(buffer, "PNG", transparency=(1, 2, 3))
    with pytest.raises(ImageError, match="transparent"):
        decode_image(buffer.getvalue(), 16, 3, U1)
    assert (decode_image(buffer.getvalue(), 16, 4, U1)[..., 3] == 0).all()


@pytest.mark.parametrize("status", [404, 204])
def test_a_missing_tile_can_be_filled_and_only_a_missing_one(server, quick, status):
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


# --- opening --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "pass zoom="),
        ({"zoom": -1}, "zoom= is a whole number, 0 to 30, not -1"),
        ({"zoom": 31}, "not 31"),
        ({"zoom": 10**30}, "zoom="),
        ({"zoom": 2.0}, "zoom="),
        ({"zoom": "3"}, "zoom="),
        ({"zoom": True}, "zoom="),
        ({"zoom": 1, "tile_size": 0}, "tile_size="),
        ({"zoom": 1, "bands": 2}, "bands= is 1, 3 or 4"),
        ({"zoom": 1, "bands": 5}, "bands="),
        ({"zoom": 1, "dtype": "f4"}, "dtype="),
        ({"zoom": 1, "dtype": "u2"}, "with bands=3"),
        ({"zoom": 1, "dtype": "nonsense"}, "dtype="),
        ({"zoom": 1, "connections": 0}, "connections="),
        ({"zoom": 1, "timeout": 0}, "timeout="),
        ({"zoom": 1, "timeout": (1, 2, 3, 4)}, "timeout="),
        ({"zoom": 1, "timeout": "soon"}, "timeout="),
        ({"zoom": 1, "retries": -1}, "retries="),
        ({"zoom": 1, "missing": "grey"}, "missing="),
        ({"zoom": 1, "missing": 256}, "missing="),
        ({"zoom": 1, "missing": (1, 2)}, "missing="),
        ({"zoom": 1, "missing": True}, "missing="),
        ({"zoom": 1, "headers": {"a": "secret\nb"}}, "headers="),
        ({"zoom": 1, "headers": "secret"}, "headers="),
        ({"zoom": 1, "fresh_for": -1}, "fresh_for="),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(OpenError) as caught:
        TilesBackend().open(Location("https://me:secret@h/{z}/{x}/{y}.png"), "tiles", **options)
    message = str(caught.value)
    assert words in message
    assert "https://h/{z}/{x}/{y}.png" in message
    assert "secret" not in message
    assert "\n" not in message


def test_other_locations_are_left_alone_or_refused():
    backend = TilesBackend()
    for text in [
        "https://h/a.zarr",
        "https://h/{time}.nc",
        "/a/{z}/{x}/{y}.png",
        "s3://b/{z}/{x}/{y}",
    ]:
        assert backend.claims(Location(text)) == backend.UNCLAIMED
    assert backend.claims(Location("http://h/{z}/{x}/{y}")) > backend.UNCLAIMED
    with pytest.raises(OpenError, match="http://"):
        backend.open(Location("s3://b/{z}/{x}/{y}"), "tiles", zoom=1)
    with pytest.raises(VariableError, match="it has: tiles"):
        backend.open(Location("http://h/{z}/{x}/{y}"), "sst", zoom=1)
    with pytest.raises(TypeError):
        backend.open(Location("http://h/{z}/{x}/{y}"), "tiles", zoom=1, zum=2)


@pytest.mark.parametrize("package", ["urllib3", "PIL"])
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"package {package}: .*biggus\[tiles\]"):
        TilesBackend().open(Location("http://h/{z}/{x}/{y}"), "tiles", zoom=1)


def test_the_token_names_what_changes_values_and_nothing_else():
    def token(template="https://h/{z}/{x}/{y}.png", **options):
        return TilesBackend().open(Location(template), "tiles", **{"zoom": 2, **options}).token

    same = [
        token(),
        token("https://me:pw@h/{z}/{x}/{y}.png?api_key=k"),
        token(connections=3, timeout=1, retries=0, headers={"X": "y"}, user_agent="me"),
        token(subdomains="xy", fresh_for=1),
        token(absent=403, missing="raise"),
        token(absent=(404, 410, 204)),
    ]
    other = [
        token("https://h2/{z}/{x}/{y}.png"),
        token(zoom=3),
        token(tile_size=512),
        token(bands=4),
        token(bands=1),
        token(bands=1, dtype="u2"),
        token(missing=0),
        token(missing=(1, 2, 3)),
        token(missing=0, absent=403),
        token(missing=0, absent=(403, 200)),
    ]
    assert len(set(same)) == 1
    assert token(missing=0, absent=(403, 404)) == token(missing=(0, 0, 0), absent=[403, 403])
    assert len({*same, *other}) == 1 + len(other)
    assert "pw" not in same[1]


def test_importing_and_opening_loads_neither_library():
    code = (
        "import sys; from biggus.backends.tiles.backend import TilesBackend as B;"
        "from biggus.backends.location import Location as L;"
        "B().open(L('http://h/{z}/{x}/{y}'), 'tiles', zoom=9);"
        "assert not {'PIL', 'urllib3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- threads and processes ------------------------------------------------------------------


@pytest.mark.parametrize("connections", [2, 16])
def test_64_tiles_by_32_threads(server, connections):
    server.delay = 0.01
    source = source_of(server, size=16, connections=connections)
    boxes = [tile_box(source, i, j) for i in range(8) for j in range(8)]
    with ThreadPoolExecutor(32) as pool:
        tiles = list(pool.map(lambda box: read(source, box), boxes))
    assert 1 < server.peak <= connections
    assert server.connections <= connections
    world = read(source, whole(source.shape))
    for box, tile in zip(boxes, tiles, strict=True):
        np.testing.assert_array_equal(world[box], tile)
    assert server.peak <= connections
    assert set(server.requests.values()) == {2}


def test_one_failed_tile_fails_the_box_and_cancels_the_rest(server):
    source = source_of(server, size=8, zoom=5, connections=2)
    server.replies["/RGB/5/0/0.png?size=8"] = [Reply(404)]
    server.delay = 0.01
    with pytest.raises(SourceError, match=r"/RGB/5/0/0\.png"):
        read(source, whole(source.shape))
    assert sum(server.requests.values()) < 1024


ELSEWHERE = """
import os, pickle, sys
import numpy as np
source = pickle.load(sys.stdin.buffer)
box = source._grid.chunk((1, 2, 0))
before = source[box].copy() if sys.argv[1] == "fork" else None
if sys.argv[1] == "fork":
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, source[box].tobytes())
        os._exit(0)
    os.close(into)
    with open(out, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    assert data == before.tobytes() == source[box].tobytes()
sys.stdout.buffer.write(source[box].tobytes())
"""


@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_another_process_reads_with_connections_of_its_own(server, how):
    if how == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    source = source_of(server, headers={"X-Key": "k"})
    expected = read(source, tile_box(source, 1, 2))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, how],
        input=pickle.dumps(source),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == expected.tobytes()
    assert all(headers["X-Key"] == "k" for _, headers in server.seen)
    assert server.connections == (2 if how == "spawn" else 3)


# --- through biggus.open --------------------------------------------------------------------


def test_six_tiles_are_requested_once_and_read_again_without_the_server(server, tmp_path):
    template = server.url + "/RGB/{z}/{x}/{y}.png"
    key = (slice(54600, 55000), slice(59300, 59850))
    paths = [[f"/RGB/9/{x}/{y}.png" for x in (231, 232, 233)] for y in (213, 214)]
    expected = np.block([[[pillow(server, path, "RGB")] for path in row] for row in paths])
    with biggus.Cache(tmp_path / "cache") as cache:
        # Nothing stays fresh: each reading asks whether its tiles have changed.
        planet = biggus.open(template, zoom=9, cache=cache, fresh_for=0)
        assert planet.shape == (131072, 131072, 3)
        assert not server.requests
        piece = planet[key].ndarray()
        np.testing.assert_array_equal(piece, expected[72:472, 164:714])
        assert server.requests == dict.fromkeys([*paths[0], *paths[1]], 1)
        server.stop()
        again = biggus.open(template, zoom=9, cache=cache, fresh_for=0)
        np.testing.assert_array_equal(again[key].ndarray(), piece)
        with pytest.raises(SourceError, match=r"/RGB/9/0/0\.png: no connection"):
            biggus.open(template, zoom=9, cache=cache, retries=0)[0, 0].ndarray()


def test_expired_tiles_are_asked_for_once_and_side_by_side(server, tmp_path):
    server.conditional = True
    server.delay = 0.05
    with biggus.Cache(tmp_path / "cache") as cache:
        template = server.url + "/RGB/{z}/{x}/{y}.png?size=8"
        planet = biggus.open(template, zoom=2, tile_size=8, cache=cache, fresh_for=0)
        for salt in (0, 0, 1):
            server.salt = salt
            server.requests.clear()
            server.peak = 0
            planet.ndarray()
            assert set(server.requests.values()) == {1}
            assert len(server.requests) == 16
            assert server.peak > 1


# --- freshness ------------------------------------------------------------------------------


def expire(validator, by=10**9):
    rows = json.loads(validator)
    return json.dumps([[e, m, c, x - by] for e, m, c, x in rows]).encode()


@pytest.fixture
def one(server):
    source = source_of(server)
    return source, tile_box(source, 1, 2), "/RGB/3/2/1.png"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 7 * 86400),
        ({"Cache-Control": "public, max-age=60"}, 60),
        ({"Cache-Control": "max-age=60", "Age": "20"}, 40),
        ({"Cache-Control": "no-cache"}, 0),
        ({"Expires": formatdate(4e9, usegmt=True)}, None),
        ({"Expires": "0"}, 0),
        ({"Expires": formatdate(1e9, usegmt=True)}, 0),
        ({"Cache-Control": "max-age=60", "Expires": "0"}, 60),
    ],
)
def test_the_server_says_how_long_a_tile_is_good(server, one, headers, seconds):
    source, box, path = one
    server.headers = headers
    values, validator = source.fetch(box)
    np.testing.assert_array_equal(values, pillow(server, path, "RGB"))
    ((_, _, checked, expires),) = json.loads(validator)
    assert abs(time.time() - checked) < 60
    assert abs(expires - (4e9 if seconds is None else checked + seconds)) < 60
    assert len(validator) < 200


def test_what_must_not_be_stored_has_no_validator(server, one):
    source, box, _ = one
    server.headers = {"Cache-Control": "private, no-store"}
    assert source.fetch(box)[1] is None


def test_a_fresh_copy_is_good_unasked(server, one):
    source, box, _ = one
    validator = source.fetch(box)[1]
    server.requests.clear()
    assert source.revalidate(box, validator) == validator
    assert not server.requests


@pytest.mark.parametrize("kind", ["etag", "date"])
def test_an_expired_copy_is_asked_for_and_renewed(server, one, kind):
    source, box, path = one
    server.conditional = kind == "etag"
    if kind == "date":
        server.headers = {"Last-Modified": formatdate(1e9, usegmt=True)}
    old = expire(source.fetch(box)[1])
    server.requests.clear()
    new = source.revalidate(box, old)
    assert server.requests == {path: 1}
    assert json.loads(new)[0][:2] == json.loads(old)[0][:2]
    assert json.loads(new)[0][3] > time.time()
    assert source.revalidate(box, new) == new
    assert server.requests == {path: 1}


def test_a_changed_tile_must_be_fetched_and_is_sent_once(server, one):
    source, box, path = one
    server.conditional = True
    old = expire(source.fetch(box)[1])
    server.salt = 1
    server.requests.clear()
    assert source.revalidate(box, old) is None
    values, validator = source.fetch(box)
    assert server.requests == {path: 1}
    np.testing.assert_array_equal(values, pillow(server, path, "RGB"))
    assert json.loads(validator)[0][0] != json.loads(old)[0][0]
    source.fetch(box)
    assert server.requests == {path: 2}


@pytest.mark.parametrize("reply", [Reply(404), Reply(403)])
def test_a_copy_of_what_is_gone_is_no_longer_good(server, one, reply):
    source, box, path = one
    old = expire(source.fetch(box)[1])
    server.replies[path] = [reply]
    assert source.revalidate(box, old) is None


@pytest.mark.parametrize("reply", [Reply(500), Reply(503), Reply(hang_up=True)])
def test_while_the_server_is_in_trouble_a_stale_copy_is_used(server, one, reply, caplog):
    source, box, path = one
    old = expire(source.fetch(box)[1])
    server.requests.clear()
    server.always = reply
    assert source.revalidate(box, old) == old
    assert server.requests == {path: 1}
    assert "stale copy" in caplog.text
    assert path in caplog.text


def test_without_the_server_a_stale_copy_is_used(server, one, caplog):
    source, box, _ = one
    old = expire(source.fetch(box)[1])
    server.stop()
    with caplog.at_level(logging.WARNING, "biggus.backends.tiles"):
        assert source.revalidate(box, old) == old
        assert source.revalidate(box, old) == old
    assert caplog.text.count("stale copy") == 2


def test_a_box_of_several_tiles_has_the_validators_of_all(server):
    source = source_of(server, size=8)
    server.conditional = True
    box = box_of((4, 20), (0, 16), (0, 3))
    _, validator = source.fetch(box)
    assert len(json.loads(validator)) == 6
    server.requests.clear()
    assert source.revalidate(box, validator) == validator
    assert not server.requests
    new = source.revalidate(box, expire(validator))
    assert sum(server.requests.values()) == 6
    assert len(json.loads(new)) == 6
    server.salt = 1
    assert source.revalidate(box, expire(new)) is None


@pytest.mark.parametrize("held", [b"", b"x", b"[]", b"[[1,2,3,4]]", b"[[null]]", b"{}", b"7"])
def test_a_validator_of_another_kind_is_not_good(server, one, held):
    source, box, _ = one
    assert source.revalidate(box, held) is None
    assert not server.requests
