"""Choosing the layer for a view: one with enough elements for its pixels, but not many more.

An element of the layer is at most as large as a pixel, and a pixel covers at most `MOST_ELEMENTS`
elements.  So the amount of data read depends on the screen, and not on the size of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biggus import engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Values
    from biggus.viewer.layers import Layer, Layers, LayerSpan
    from biggus.viewer.picture import Plane

MOST_ELEMENTS = 4
"""The most elements of a layer for each pixel."""

FEW_TILES = 4
"""The most tiles of a coarser level that are read first, to have something to show."""


class ScreenView(NamedTuple):
    """The part of an image that is on the screen.

    Attributes
    ----------
    window : tuple of float
        Top, bottom, left and right, in rows and columns of the finest level.
    density : tuple of float
        The rows and columns of the finest level that a pixel covers.
    """

    window: tuple[float, float, float, float]
    density: tuple[float, float]


def chosen(layers: Layers, view: ScreenView) -> Layer:
    """Return the layer that shows a view.

    Parameters
    ----------
    layers : Layers
        The layers of the picture, with the limit of bytes for samples.
    view : ScreenView
        The view.
    """
    number = _level(layers.planes, view)
    plane = layers.planes[number]
    if not _crowded(plane, view):
        return layers.at(number)
    down, across = (_step(d / f) for d, f in zip(view.density, plane.factors, strict=True))
    while True:
        layer = layers.at(number, (down, across))
        span = layer.span(view.window)
        chunks = layer.chunks_in(span)
        if layer.cost(span) <= layers.sample_bytes or max(chunks) <= 1:
            return layer
        if chunks[0] >= chunks[1]:
            down *= 2
        else:
            across *= 2


def _level(planes: Sequence[Plane], view: ScreenView) -> int:
    """Return the number of the coarsest level that fills the pixels.

    If it has too many elements for each pixel, it is the next coarser one that has not, or the
    coarsest.
    """
    number = 0
    for coarser, plane in enumerate(planes):
        if all(f <= d * (1 + 1e-9) for f, d in zip(plane.factors, view.density, strict=True)):
            number = coarser
    while _crowded(planes[number], view) and number + 1 < len(planes):
        number += 1
    return number


def _crowded(plane: Plane, view: ScreenView) -> bool:
    """Tell whether a pixel covers too many elements of a level."""
    rows, columns = (d / f for d, f in zip(view.density, plane.factors, strict=True))
    return rows * columns > MOST_ELEMENTS * (1 + 1e-9)


def _step(elements: float) -> int:
    """Return the greatest power of two that is not above `elements`."""
    return 1 << max(0, int(elements).bit_length() - 1)


def ancestor(layers: Layers, view: ScreenView, below: Layer) -> Layer | None:
    """Return the finest level coarser than `below` that shows the view in a few tiles."""
    for number, plane in enumerate(layers.planes):
        if all(f <= g for f, g in zip(plane.factors, below.factors, strict=True)):
            continue
        layer = layers.at(number)
        if sum(1 for _ in layer.tiles(layer.span(view.window))) <= FEW_TILES:
            return layer
    return None


_SAMPLED_SIDE = 512
"""The approximate number of rows and columns that are read to choose colours."""


def values_in(layer: Layer, span: LayerSpan) -> Values:
    """Read the elements of a span of a layer."""
    return engine.evaluate(layer.array[slice(*span.rows), slice(*span.columns)].node)


def coarse_values(layers: Layers, shape: Sequence[int]) -> Values:
    """Read an overview of a picture, to choose colours."""
    rows, columns = shape[:2]
    element = max(1.0, max(rows, columns) / _SAMPLED_SIDE)
    view = ScreenView((0.0, float(rows), 0.0, float(columns)), (element, element))
    layer = chosen(layers, view)
    return values_in(layer, layer.span(view.window))
