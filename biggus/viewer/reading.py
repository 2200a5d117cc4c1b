"""Reading parts of a layer at once, to draw them or to choose colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus import engine
from biggus.viewer.choosing import ScreenView, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Values
    from biggus.viewer.layers import Layer, Layers, LayerSpan

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
