"""A grid mosaic of zoom level 22, with 2^44 tiles that are never created."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np

import biggus
from benchmarks.mosaic import Tile
from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup

MOST_SECONDS = 50e-6


def build(zoom: int = 22) -> biggus.Array:
    """Create the mosaic of a zoom level."""
    return biggus.GridMosaic(
        lambda index: Tile(index[1], index[0]),
        grid_shape=(2**zoom, 2**zoom, 1),
        tile_shape=(256, 256, 3),
        dtype="u1",
    )


def traced(zoom: int) -> int:
    """Return the memory of a mosaic and a slice of it, in bytes."""
    tracemalloc.start()
    grid = build(zoom)
    view = grid[5:-5]
    nbytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del view
    return nbytes


def run(_: Setup) -> list[Row]:
    """Compare the times of building and slicing with limits, and memory with that of 4 tiles."""
    grid = build()
    times = quickest(
        {"build": build, "slice": lambda: grid[2**29 : 2**29 + 400, ::-7, np.newaxis]}, calls=2000
    )
    return [
        Row(
            f"`GridMosaic` at zoom 22: {name}",
            show(seconds),
            show(MOST_SECONDS),
            seconds / MOST_SECONDS,
            1,
        )
        for name, seconds in times.items()
    ] + [
        Row(
            "its memory, sliced",
            f"{traced(22)} B for 2^44 tiles",
            f"{traced(1)} B for 4 tiles",
            traced(22) / traced(1),
            1.2,
        )
    ]
