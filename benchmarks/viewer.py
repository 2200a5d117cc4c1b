"""A figure that pans and zooms over a planet: frame times, requests and memory."""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backend_bases import TimerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import biggus
from benchmarks.compute import show_bytes
from benchmarks.tiles import CONNECTIONS, LATENCY, slow_server
from benchmarks.timing import Row, quickest, show
from biggus.testing import ArraySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes

    from benchmarks.setup import Setup

WIDTH, HEIGHT = 1000, 800
ZOOM = 19
FRAMES = 200

_planets = itertools.count()
"""Numbers of planets, for new URLs; the server sends the same tile for every path."""


class Timer(TimerBase):
    """A timer that fires in the event loop of `Window`."""

    running = False

    def _timer_start(self) -> None:
        self.running = True

    def _timer_stop(self) -> None:
        self.running = False


class Window(FigureCanvasAgg):
    """A canvas with an event loop of its own."""

    def __init__(self, figure: Figure) -> None:
        super().__init__(figure)
        self.timers: list[Timer] = []

    def new_timer(self, interval: int | None = None, callbacks: Any = None) -> Timer:
        self.timers.append(Timer(interval, callbacks))
        return self.timers[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        """Fire the timers every 10 ms until a condition holds."""
        while not condition():
            time.sleep(0.01)
            for timer in self.timers:
                if timer.running:
                    timer._on_timer()  # noqa: SLF001 - subclasses of TimerBase call it


def axes(canvas: type[FigureCanvasAgg]) -> Axes:
    """Return axes that fill a figure."""
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    canvas(figure)
    return figure.add_axes((0, 0, 1, 1))


def look_at(ax: Axes, top: float, left: float) -> None:
    """Show a part of an image, one pixel per element."""
    ax.set_xlim(left - 0.5, left + WIDTH - 0.5)
    ax.set_ylim(top + HEIGHT - 0.5, top - 0.5)


@contextlib.contextmanager
def cold_pyramid(template: str) -> Iterator[biggus.Pyramid]:
    """Yield a planet with no tiles in the cache or in memory."""
    template = template.replace("{z}", f"{next(_planets)}/{{z}}")
    with TemporaryDirectory() as folder:
        cache = biggus.Cache(Path(folder) / "cache")
        yield biggus.TilePyramid(template, range(ZOOM + 1), cache=cache)


def deep(template: str, rounds: int = 5) -> list[Row]:
    """Time a view at the finest zoom, until the first pixels and until it is complete."""
    top = left = 2**26 + 12_345
    first_pixels, complete, plain = [], [], []
    for _ in range(rounds):
        with cold_pyramid(template) as pyramid:
            ax = axes(Window)
            image = biggus.imshow(pyramid, ax)
            look_at(ax, top, left)
            canvas: Any = ax.figure.canvas
            started = time.perf_counter()
            canvas.draw()
            canvas.until(lambda image=image: opaque(image))
            first_pixels.append(time.perf_counter() - started)
            canvas.until(lambda image=image: not image.waiting)
            complete.append(time.perf_counter() - started)
            assert not image.errors
        with cold_pyramid(template) as pyramid:
            started = time.perf_counter()
            values = pyramid[ZOOM][top : top + HEIGHT, left : left + WIDTH].ndarray()
            ax = axes(FigureCanvasAgg)
            ax.imshow(values)
            ax.figure.canvas.draw()
            plain.append(time.perf_counter() - started)
    first, last, least = map(statistics.median, (first_pixels, complete, plain))
    return [
        Row(
            f"first pixels of a {WIDTH} × {HEIGHT} view at zoom {ZOOM}, cold",
            show(first),
            "300 ms",
            first / 0.3,
            1,
        ),
        Row(
            f"all of it, {LATENCY * 1e3:.0f} ms a request, {CONNECTIONS} connections",
            show(last),
            f"to read and draw the same pixels alone, {show(least)}",
            last / least,
            1.5,
        ),
    ]


def opaque(image: Any) -> bool:
    """Return whether every pixel is drawn."""
    shown = image.get_array()
    return shown.shape[0] > 1 and (shown.shape[2] == 3 or bool((shown[..., 3] > 0).all()))


def planet(template: str) -> Row:
    """Count the requests for a view of the whole planet."""
    with TemporaryDirectory() as folder:
        cache = biggus.Cache(Path(folder) / "cache")
        pyramid = biggus.TilePyramid(template, range(ZOOM + 1), cache=cache)
        ax = axes(Window)
        image = biggus.imshow(pyramid, ax)
        canvas: Any = ax.figure.canvas
        canvas.draw()
        canvas.until(lambda: not image.waiting)
        requests = cache.stats().misses
    return Row(
        f"all of the planet, 2^{2 * ZOOM} tiles", f"{requests} requests", "32", requests / 32, 1
    )


def panning() -> Row:
    """Time warm frames that move by a third of the screen, and `imshow` of the same views."""
    values = np.random.default_rng(0).integers(0, 256, (2 * HEIGHT, 6 * WIDTH, 3), np.uint8)
    biggus_axes, plain_axes = axes(Window), axes(FigureCanvasAgg)
    biggus.imshow(
        biggus.ArrayAdapter(ArraySource(values, chunks=(256, 256, 3))), biggus_axes, block=True
    )
    places = [WIDTH // 3 * step for step in range(12)]

    def pan() -> None:
        for left in places:
            look_at(biggus_axes, 300, left)
            biggus_axes.figure.canvas.draw()

    def redraw() -> None:
        for left in places:
            plain_axes.clear()
            plain_axes.imshow(values[300 : 300 + HEIGHT, left : left + WIDTH])
            plain_axes.figure.canvas.draw()

    times = quickest({"biggus": pan, "imshow": redraw}, rounds=5)
    frame, least = (seconds / len(places) for seconds in times.values())
    return Row(
        "a pan by a third of the screen, warm, a frame",
        show(frame),
        f"`imshow` of the same view, {show(least)}",
        frame / least,
        2,
    )


def memory() -> Row:
    """Compare the memory of the process after half of the frames and after all."""
    ax = axes(Window)
    image = biggus.imshow(endless(), ax, vmin=0, vmax=255)
    canvas: Any = ax.figure.canvas
    resident = []
    for frame in range(FRAMES):
        look_at(ax, 1000 + 200 * frame, 5000 + WIDTH * frame)
        canvas.draw()
        canvas.until(lambda: not image.waiting)
        if frame in (FRAMES // 2 - 1, FRAMES - 1):
            gc.collect()
            resident.append(resident_bytes())
    before, after = resident
    return Row(
        f"resident memory after {FRAMES} frames",
        show_bytes(after),
        f"after {FRAMES // 2}, {show_bytes(before)}",
        after / before,
        1.1,
    )


def endless() -> biggus.Array:
    """Return an array of very many tiles, each created when it is read."""

    def tile(index: tuple[int, ...]) -> np.ndarray:
        return np.full((256, 256), sum(index) % 256, np.uint8)

    return biggus.GridMosaic(tile, (2**12, 2**12), (256, 256), np.uint8)


def resident_bytes() -> int:
    """Return the present memory of the process in bytes."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def run(_: Setup) -> list[Row]:
    """Draw figures over a slow server, and over arrays in memory."""
    with slow_server() as template:
        rows = [*deep(template), planet(template)]
    rows.append(panning())
    # In a separate process: here, the fragmented memory of the others would be measured.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return [*rows, pool.submit(memory).result()]
