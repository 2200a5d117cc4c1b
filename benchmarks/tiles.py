"""256 tiles of a slow server, cold and from the cache; and a tile that is cached encoded."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import biggus
from benchmarks.slow_server import tile
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.setup import Setup

LATENCY = 0.05
CONNECTIONS = 16
SIDE = 16
TILES = SIDE * SIDE


@contextlib.contextmanager
def slow_server() -> Iterator[str]:
    """Run the server in a separate process, and yield its template."""
    command = [sys.executable, "-m", "benchmarks.slow_server", str(LATENCY * 1e3)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield f"http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.jpg"
        finally:
            process.terminate()


def plain_files(folder: Path, values: np.ndarray) -> list[tuple[Path, int, tuple[slice, slice]]]:
    """Write each tile to a raw file; return the paths, checksums and places of the tiles."""
    files = []
    for row in range(SIDE):
        for column in range(SIDE):
            place = (
                slice(row * 256, row * 256 + 256),
                slice(column * 256, column * 256 + 256),
            )
            data = values[place].tobytes()
            path = folder / f"{row}-{column}"
            path.write_bytes(data)
            files.append((path, zlib.crc32(data), place))
    return files


def read_plain(files: list[tuple[Path, int, tuple[slice, slice]]]) -> np.ndarray:
    """Read, check and paste the files: the baseline."""
    result = np.empty((SIDE * 256, SIDE * 256, 3), "u1")
    for path, checksum, place in files:
        data = path.read_bytes()
        assert zlib.crc32(data) == checksum
        result[place] = np.frombuffer(data, "u1").reshape(256, 256, 3)
    return result


def run(_: Setup) -> list[Row]:
    """Compare cold tiles with the least possible wait, and cached ones with plain files."""
    least = TILES * LATENCY / CONNECTIONS
    with tempfile.TemporaryDirectory() as name, slow_server() as template:
        folder = Path(name)
        cache = biggus.Cache(folder / "cache")
        array = biggus.open(template, zoom=4, cache=cache)

        def cold() -> None:
            cache.clear()
            array.ndarray()

        cold_seconds = quickest({"cold": cold}, rounds=5)["cold"]
        values = array.ndarray()
        (folder / "plain").mkdir()
        files = plain_files(folder / "plain", values)
        assert np.array_equal(read_plain(files), values)
        warm = quickest({"plain": lambda: read_plain(files), "warm": array.ndarray}, rounds=11)
        misses = cache.stats().misses
        assert misses == 6 * TILES, "warm reads must not ask the server"
        encoded_rows = compare_encoded(folder, template)
    return [
        Row(
            f"{TILES} cold tiles, 50 ms a request, {CONNECTIONS} connections",
            show(cold_seconds),
            f"{TILES} × 50 ms / {CONNECTIONS} = {show(least)}",
            cold_seconds / least,
            1.5,
        ),
        Row(
            "the same tiles, warm",
            show(warm["warm"]),
            f"reading, checking and pasting {TILES} plain files, {show(warm['plain'])}",
            warm["warm"] / warm["plain"],
            2,
        ),
        *encoded_rows,
    ]


def compare_encoded(folder: Path, template: str) -> list[Row]:
    """Compare a tile that is cached as a JPEG file with one that is cached decoded."""
    caches = {
        stored: biggus.Cache(folder / stored, stored=stored) for stored in ("encoded", "decoded")
    }
    works: dict[str, Callable[[], object]] = {}
    for stored, cache in caches.items():
        array = biggus.open(template, zoom=3, cache=cache)
        array.ndarray()
        works[stored] = array[:256, :256].ndarray
    file = io.BytesIO(tile())
    works["Pillow"] = lambda: np.array(Image.open(file))
    with biggus.set_options(chunk_memory=0):
        times = quickest(works, rounds=11, calls=20)
    stats = {stored: cache.stats() for stored, cache in caches.items()}
    encoded, decoded = (stats[stored].bytes / stats[stored].entries for stored in caches)
    return [
        Row(
            work,
            show(times["encoded"]),
            f"{name}, {show(times[other])}",
            times["encoded"] / times[other],
            None,
        )
        for work, other, name in (
            ("one warm tile, kept as it came", "decoded", "kept decoded"),
            ("the same", "Pillow", "the plain library"),
        )
    ] + [
        Row(
            "its room on the disk, index included",
            f"{encoded / 1e3:.3g} kB",
            f"kept decoded, {decoded / 1e3:.3g} kB",
            encoded / decoded,
            0.2,
        )
    ]
