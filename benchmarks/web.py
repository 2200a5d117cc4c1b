"""Tiles of the web view: rendering from cached chunks, and serving."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

import biggus
from benchmarks.timing import Row, show
from biggus.testing import ArraySource
from biggus.viewer.picture import Picture
from biggus.viewer.web.facts import Facts
from biggus.viewer.web.rendering import SIDE, Colouring, Renderer
from biggus.viewer.web.server import PageServer

if TYPE_CHECKING:
    from benchmarks.setup import Setup

TILES = 16
"""Rows and columns of tiles."""

CLIENTS = 2
SAMPLE_BYTES = 128 * 2**20
COLOURS = Colouring("viridis", -3.0, 3.0)
MOST_SECONDS = 0.015
LEAST_A_SECOND = 60


def run(_: Setup) -> list[Row]:
    """Time tiles whose chunks are cached, each once."""
    values = np.random.default_rng(0).standard_normal((TILES * SIDE, TILES * SIDE), dtype="f4")
    with tempfile.TemporaryDirectory() as folder, biggus.Cache(folder) as cache:
        source = ArraySource(values, (SIDE, SIDE), token="values")
        array = biggus.ArrayAdapter(source, cache=cache)
        array.ndarray()
        seconds = _rendered(Renderer(Picture(array), SAMPLE_BYTES))
        rate = _served(Renderer(Picture(array), SAMPLE_BYTES))
    return [
        Row(
            "web view: a tile rendered from a cached chunk",
            show(seconds),
            show(MOST_SECONDS),
            seconds / MOST_SECONDS,
            1,
        ),
        Row(
            f"web view: tiles a second, {CLIENTS} connections",
            f"{rate:.0f}",
            str(LEAST_A_SECOND),
            LEAST_A_SECOND / rate,
            1,
        ),
    ]


def _rendered(renderer: Renderer) -> float:
    seconds = []
    for x in range(TILES):
        for y in range(TILES):
            started = time.perf_counter()
            renderer.tile(renderer.zooms, x, y, (), COLOURS)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _served(renderer: Renderer) -> float:
    """Return the number of tiles per second that clients receive."""
    cmap, vmin, vmax = COLOURS
    with PageServer(Facts(renderer, "benchmark")).running() as url:
        address = urlsplit(url)

        def request_tiles(client: int) -> None:
            connection = http.client.HTTPConnection(str(address.hostname), address.port)
            for number in range(client, TILES * TILES, CLIENTS):
                y, x = divmod(number, TILES)
                place = f"tile/{renderer.zooms}/{x}/{y}.png"
                query = f"cmap={cmap}&vmin={vmin}&vmax={vmax}"
                connection.request("GET", f"{address.path}{place}?{query}")
                response = connection.getresponse()
                response.read()
                assert response.status == 200
            connection.close()

        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(request_tiles, range(CLIENTS)))
        return TILES * TILES / (time.perf_counter() - started)
