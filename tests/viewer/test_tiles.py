"""Images of a real tile server, which counts its requests."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from figures import new_axes, pixels
from windows import window

import biggus

pytest.importorskip("PIL")
pytest.importorskip("urllib3")
sys.path.insert(0, str(Path(__file__).parents[1] / "backends" / "helpers"))

from tile_server import Reply, TileServer

SIDE = 256 * 2**19


@pytest.fixture
def server():
    server = TileServer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def planet(server, tmp_path):
    cache = biggus.Cache(tmp_path / "cache")
    return biggus.TilePyramid(f"{server.url}/RGB/{{z}}/{{x}}/{{y}}.png", cache=cache)


def filled(make):
    ax = make(figsize=(10, 8))
    ax.set_position([0, 0, 1, 1])
    return ax


def place(ax, top, left, width=1000):
    ax.set_xlim(left - 0.5, left + width - 0.5)
    ax.set_ylim(top + width * 0.8 - 0.5, top - 0.5)


def zooms(server):
    """Return the number of requests for each zoom, after a check that none was repeated."""
    found = {}
    for path, count in server.requests.items():
        assert count == 1
        zoom = int(path.split("/")[2])
        found[zoom] = found.get(zoom, 0) + 1
    return found


def test_whole_planet_in_a_window(server, planet):
    ax = filled(window)
    biggus.imshow(planet, ax)
    ax.figure.canvas.draw_all()
    assert zooms(server) == {1: 4, 2: 16}


def test_whole_planet_in_a_file(server, planet, tmp_path):
    ax = filled(new_axes)
    biggus.imshow(planet, ax)
    ax.figure.savefig(tmp_path / "planet.png")
    assert zooms(server) == {2: 16}


def test_view_at_the_finest_zoom(server, planet):
    ax = filled(window)
    image = biggus.imshow(planet, ax)
    top, left = 2**26 + 1000, 2**26 + 3000
    place(ax, top, left)
    ax.figure.canvas.draw_all()
    found = zooms(server)
    assert found.pop(19) == 5 * 5
    assert sum(found.values()) <= 4
    at = (top + 400 - (top - 12), left + 500 - (left - 12))
    exact = planet[19][top + 400, left + 500].ndarray()
    np.testing.assert_array_equal(image.get_array()[at[0] - 5, at[1] - 5], exact)
    before = server.requests.total()
    place(ax, top, left + 333)
    ax.figure.canvas.draw_all()
    assert zooms(server)[19] == 5 * 6
    place(ax, top, left)
    ax.figure.canvas.draw_all()
    assert server.requests.total() - before <= 5 + 2


def test_cached_tiles_are_not_requested_again(server, planet):
    drawn = []
    for make in (new_axes, new_axes):
        ax = filled(make)
        biggus.imshow(planet, ax)
        place(ax, 2**20, 2**20, 50_000)
        drawn.append(pixels(ax))
        zooms(server)
    np.testing.assert_array_equal(*drawn)


def test_failed_tiles_are_requested_again_in_the_next_view(server, planet):
    ax = filled(window)
    image = biggus.imshow(planet, ax)
    place(ax, 2**20, 2**20)
    server.always = Reply(status=404)
    with pytest.warns(UserWarning, match="missing"):
        ax.figure.canvas.draw_all()
    assert len(image.errors) >= 20
    server.always = None
    place(ax, 2**20 + 1, 2**20)
    ax.figure.canvas.draw_all()
    assert not image.errors
    assert image.get_array().shape[2] == 3
