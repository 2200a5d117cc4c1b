"""Which layer a view needs: enough elements for its pixels, and not many more.

An element of a layer is at most a pixel, and a pixel takes at most `MOST_ELEMENTS` of them, so
that what is read follows from the screen and not from the image.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.viewer.layers import Layer, Layers
    from biggus.viewer.picture import Plane

MOST_ELEMENTS = 4
"""Of a layer, that a pixel may take."""

FEW_TILES = 4
"""As many as one waits for before there is anything to see."""


class ScreenView(NamedTuple):
    """What is on the screen.

    Attributes
    ----------
    window : tuple of float
        Top, bottom, left and right, in rows and columns of the finest level.
    density : tuple of float
        How many of its rows and columns a pixel covers.
    """

    window: tuple[float, float, float, float]
    density: tuple[float, float]


def chosen(layers: Layers, view: ScreenView) -> Layer:
    """Return the layer that shows a view.

    Parameters
    ----------
    layers : Layers
        Of the picture; they say how much may be read where there are more elements than
        pixels can show.
    view : ScreenView
        What is to be seen.
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
    """Return the number of the coarsest level that fills the pixels, if it is not too crowded.

    If it is, the next that is not; if all are, the coarsest.
    """
    number = 0
    for coarser, plane in enumerate(planes):
        if all(f <= d * (1 + 1e-9) for f, d in zip(plane.factors, view.density, strict=True)):
            number = coarser
    while _crowded(planes[number], view) and number + 1 < len(planes):
        number += 1
    return number


def _crowded(plane: Plane, view: ScreenView) -> bool:
    """Tell whether a pixel covers more elements of a level than it may."""
    rows, columns = (d / f for d, f in zip(view.density, plane.factors, strict=True))
    return rows * columns > MOST_ELEMENTS * (1 + 1e-9)


def _step(elements: float) -> int:
    """Return the greatest power of two that is not above `elements`."""
    step = 1
    while 2 * step <= elements:
        step *= 2
    return step


def ancestor(layers: Layers, view: ScreenView, below: Layer) -> Layer | None:
    """Return the finest level above `below` of which a few tiles show all of a view."""
    for number, plane in enumerate(layers.planes):
        if all(f <= g for f, g in zip(plane.factors, below.factors, strict=True)):
            continue
        layer = layers.at(number)
        if sum(1 for _ in layer.tiles(layer.span(view.window))) <= FEW_TILES:
            return layer
    return None
