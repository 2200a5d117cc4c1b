"""Tiles of a real server as an array, read by threads and processes, compared with Pillow."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tile_samples import pillow, source_of, tile_box
from tile_server import Reply, image_of

import biggus
from biggus.backends.location import Location
from biggus.backends.registry import backend_for
from biggus.backends.tiles.backend import TilesBackend
from biggus.errors import SourceError
from biggus.sources.base import read, whole
from biggus.testing.strategies import boxes

U1 = np.dtype("u1")


def test_opening_a_template_sends_no_requests(server):
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
def test_pixels_match_pillow(server, suffix, mode, bands, oracle):
    source = source_of(server, mode, suffix, bands=bands)
    values = read(source, tile_box(source, 2, 5))
    np.testing.assert_array_equal(values, pillow(server, f"/{mode}/3/5/2.{suffix}", oracle))
    assert values.shape == source.chunks
    assert sum(server.requests.values()) == 1


def test_16_bit_tiles(server):
    source = source_of(server, "I;16", bands=1, dtype="u2")
    values = read(source, tile_box(source, 2, 5))
    np.testing.assert_array_equal(values, np.asarray(image_of("I;16", 3, 5, 2)))
    assert values.max() > 255


@pytest.mark.parametrize(
    ("mode", "options", "words"),
    [
        ("RGBA", {"bands": 3}, "transparent pixels; pass `bands=4`"),
        ("LA", {"bands": 3}, "transparent pixels; pass `bands=4`"),
        ("LA", {"bands": 1}, "transparent pixels; pass `bands=4`"),
        ("RGB", {"bands": 1}, "not grey; pass `bands=3`"),
        ("P", {"bands": 1}, "not grey; pass `bands=3`"),
        ("I;16", {"bands": 1}, "pass `bands=1`, `dtype='u2'`"),
        ("I;16", {"bands": 3}, "pass `bands=1`, `dtype='u2'`"),
        ("L", {"bands": 1, "dtype": "u2"}, "pass `dtype='u1'`"),
    ],
)
def test_narrowing_bands_or_dtype_raises(server, mode, options, words):
    source = source_of(server, mode, **options)
    with pytest.raises(SourceError, match=words) as caught:
        read(source, tile_box(source, 0, 0))
    assert f"/{mode}/3/0/0.png" in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_random_boxes_request_each_tile_once(server, data):
    source = source_of(server, size=8, zoom=3)
    paths = [[f"/RGB/3/{x}/{y}.png?size=8" for x in range(8)] for y in range(8)]
    world = np.block([[[pillow(server, path, "RGB")] for path in row] for row in paths])

    box = data.draw(boxes(source.shape))
    server.requests.clear()
    np.testing.assert_array_equal(read(source, box), world[box])
    rows, columns = ({i // 8 for i in range(s.start, s.stop, s.step)} for s in box[:2])
    assert set(server.requests) == {paths[i][j] for i in rows for j in columns}
    assert set(server.requests.values()) == {1}


def test_tms_rows_and_quadkeys(server):
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


# --- threads and processes ---


@pytest.mark.parametrize("connections", [2, 16])
def test_64_tiles_by_32_threads(server, connections):
    server.delay = 0.01
    source = source_of(server, size=16, connections=connections)
    parts = [tile_box(source, i, j) for i in range(8) for j in range(8)]
    with ThreadPoolExecutor(32) as pool:
        tiles = list(pool.map(lambda box: read(source, box), parts))
    assert 1 < server.peak <= connections
    assert server.connections <= connections
    world = read(source, whole(source.shape))
    for box, tile in zip(parts, tiles, strict=True):
        np.testing.assert_array_equal(world[box], tile)
    assert server.peak <= connections
    assert set(server.requests.values()) == {2}


def test_failed_tile_cancels_the_other_requests(server):
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


@pytest.mark.parametrize("start_method", ["spawn", "fork"])
def test_other_processes_use_their_own_connections(server, start_method):
    if start_method == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    source = source_of(server, headers={"X-Key": "k"})
    expected = read(source, tile_box(source, 1, 2))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, start_method],
        input=pickle.dumps(source),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == expected.tobytes()
    assert all(headers["X-Key"] == "k" for _, headers in server.seen)
    assert server.connections == (2 if start_method == "spawn" else 3)


def test_cached_tiles_are_read_without_the_server(server, tmp_path):
    template = server.url + "/RGB/{z}/{x}/{y}.png"
    key = (slice(54600, 55000), slice(59300, 59850))
    paths = [[f"/RGB/9/{x}/{y}.png" for x in (231, 232, 233)] for y in (213, 214)]
    expected = np.block([[[pillow(server, path, "RGB")] for path in row] for row in paths])
    with biggus.Cache(tmp_path / "cache") as cache:
        # fresh_for=0: each read revalidates its tiles.
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


def test_expired_tiles_are_revalidated_once_and_concurrently(server, tmp_path):
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
