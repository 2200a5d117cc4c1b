"""The nested mosaic of zoom level 9: building and slicing 2^18 tiles."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np

import biggus
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup

ZOOM = 9
SIDE = 2**ZOOM
MOST_SLICE_SECONDS = 50e-6
MOST_TILE_BYTES = 600


class Slotted:
    """A bare Python object, the baseline."""

    __slots__ = ("first", "second")

    def __init__(self, first: int, second: int) -> None:
        self.first = first
        self.second = second


class Tile:
    """A tile as a user would define it."""

    def __init__(self, x: int, y: int) -> None:
        self.place = x, y
        self.shape = (256, 256, 3)
        self.dtype = np.uint8

    def __getitem__(self, box: tuple[slice, ...]) -> np.ndarray:
        raise AssertionError("nothing is read here")


def bare_objects() -> list[Slotted]:
    """Create as many bare objects as there are tiles."""
    return [Slotted(i, i) for i in range(SIDE * SIDE)]


def nested(tiles: list[list[Tile]]) -> biggus.Array:
    """Join tiles to columns from north to south, and the columns from west to east."""
    columns = [
        biggus.LinearMosaic([biggus.ArrayAdapter(tile) for tile in column], axis=0)
        for column in tiles
    ]
    return biggus.LinearMosaic(columns, axis=1)


def run(_: Setup) -> list[Row]:
    """Compare building with creating bare objects, and slicing with its limit."""
    tiles = [[Tile(x, y) for y in range(SIDE)] for x in range(SIDE)]
    times = quickest({"bare": bare_objects, "mosaic": lambda: nested(tiles)}, rounds=9)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    planet = nested(tiles)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    per_tile = (after - before) / SIDE**2

    spot = random.Random(9)
    keys = []
    for _ in range(100):
        start, stop = sorted(spot.sample(range(planet.shape[0]), 2))
        keys.append(np.s_[start:stop, stop : start : -spot.randint(1, 1000)])
    keys += [np.s_[54600:55000, 59300:59850], np.s_[::100_000], np.s_[...], np.s_[5, :, 0]]

    def slice_anywhere() -> None:
        for key in keys:
            planet[key]

    sliced = quickest({"slice": slice_anywhere}, calls=20)["slice"] / len(keys)
    return [
        Row(
            "build the nested zoom-9 mosaic, 2^18 adapters",
            show(times["mosaic"]),
            f"2^18 bare objects, {show(times['bare'])}",
            times["mosaic"] / times["bare"],
            5,
        ),
        Row(
            "its memory a tile",
            f"{per_tile:.0f} B",
            f"{MOST_TILE_BYTES} B",
            per_tile / MOST_TILE_BYTES,
            1,
        ),
        Row(
            "slice it anywhere",
            show(sliced),
            show(MOST_SLICE_SECONDS),
            sliced / MOST_SLICE_SECONDS,
            1,
        ),
    ]
