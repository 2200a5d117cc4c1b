"""Reading: values of a layer that are taken at once, to draw or to choose colours by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.viewer.choosing import ScreenView, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Values
    from biggus.viewer.layers import Layer, Layers, LayerSpan

_SAMPLED_SIDE = 512
"""About so many rows and columns say which colours there are."""


def values_in(layer: Layer, span: LayerSpan) -> Values:
    """Read the elements of a span of a layer."""
    part = layer.array[slice(*span.rows), slice(*span.columns)]
    return part.masked_array() if part.masked else part.ndarray()


def coarse_values(layers: Layers, shape: Sequence[int]) -> Values:
    """Read an overview of a picture of a shape, to choose colours by."""
    rows, columns = shape[:2]
    element = max(1.0, max(rows, columns) / _SAMPLED_SIDE)
    view = ScreenView((0.0, float(rows), 0.0, float(columns)), (element, element))
    layer = chosen(layers, view)
    return values_in(layer, layer.span(view.window))
