"""A view of a whole array of 20 GB reads a few megabytes of its overviews."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import biggus
from biggus.pyramids.layout import PyramidLayout
from biggus.pyramids.screen_level import between_of
from biggus.sources.base import Source, box_shape
from biggus.testing import RecordingSource

WIDTH, HEIGHT = 1000, 800
MOST_BYTES = 4 * 10**6


@pytest.mark.parametrize(
    "shape",
    [
        (50_000, 100_000),
        (100_000, 50_000),
        (70_711, 70_711),
        (63_246, 79_057),
        (57_600, 86_900),
        (51_200, 97_700),
    ],
)
def test_whole_view_reads_few_bytes(shape) -> None:
    sources = overviews_of(shape)
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    levels = [(biggus.ArrayAdapter(source), (factor, factor)) for factor, source in sources]
    image = biggus.imshow(biggus.Pyramid(levels), ax, vmin=0, vmax=1)
    figure.canvas.draw()
    assert image.sampled is None
    assert not sources[0][1].boxes
    # At least one element per pixel of the covered part of the window is read.
    side = min(HEIGHT / shape[0], WIDTH / shape[1])
    pixels = shape[0] * side * shape[1] * side
    boxes = [box for _, source in sources for box in source.boxes]
    read = sum(4 * math.prod(box_shape(box)) for box in boxes)
    assert 4 * pixels * 0.98 <= read <= MOST_BYTES


class Ones(Source):
    """An array of ones of any shape."""

    dtype = np.dtype("f4")
    name = "ones"
    owns_data = True

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.shape = shape
        self.chunks = chunks

    def __getitem__(self, box) -> np.ndarray:
        return np.ones(box_shape(box), self.dtype)


def overviews_of(shape: tuple[int, int]) -> list[tuple[int, RecordingSource]]:
    """Return arrays of ones with the shapes and chunks of a float32 array and its overviews."""
    layout = PyramidLayout.of(shape, (0, 1), (1024, 1024))
    factors = [1 << level for level in range(layout.levels + 1)]
    found = between_of(layout)
    if found is not None:
        level, side = found
        factors.append(side << level)
    return [
        (factor, RecordingSource(Ones(tuple(-(-n // factor) for n in shape), layout.chunks())))
        for factor in sorted(factors)
    ]
