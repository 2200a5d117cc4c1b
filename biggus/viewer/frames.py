"""Frames: the values of a part of an image that matplotlib draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.sources.base import Values
    from biggus.viewer.layers import Layer, LayerSpan, TileKey
    from biggus.viewer.tiles import Tiles


class Frame:
    """The elements of a span of a layer, which are missing until they are pasted.

    Parameters
    ----------
    layer : Layer
        The layer.
    span : LayerSpan
        The span of elements.

    Attributes
    ----------
    known : bool
        Whether any element is known, possibly to be missing.
    """

    def __init__(self, layer: Layer, span: LayerSpan) -> None:
        self.layer = layer
        self.span = span
        self.known = False
        channels = layer.array.shape[2:]
        self._data: npt.NDArray[Any] = np.zeros((*span.shape, *channels), layer.array.dtype)
        self._missing = np.ones(span.shape, bool)

    def is_of(self, layer: Layer, span: LayerSpan) -> bool:
        """Tell whether the frame has this layer and span."""
        return self.layer is layer and self.span == span

    def paste(self, layer: Layer, keys: Iterable[TileKey], tiles: Tiles[TileKey]) -> None:
        """Paste tiles of the same or another layer over the frame."""
        for key in keys:
            if key in tiles:
                self.known = True
                self._put(tiles[key], layer, layer.bounds(key))

    def blank(self, keys: Iterable[TileKey]) -> None:
        """Mark the elements of tiles of the own layer as missing."""
        for key in keys:
            self.known = True
            here = _overlap(self.span, self.layer.bounds(key))
            self._missing[_within(here, self.span)] = True

    def _put(self, values: Values, layer: Layer, bounds: LayerSpan) -> None:
        mask = np.ma.getmask(values)
        data = np.ma.getdata(values)
        place: Any
        part: Any
        if layer is self.layer:
            here = _overlap(self.span, bounds)
            place, part = _within(here, self.span), _within(here, bounds)
        else:
            rows, columns = (
                _nearest(mine, theirs, f, g)
                for mine, theirs, f, g in zip(
                    self.span, bounds, self.layer.factors, layer.factors, strict=True
                )
            )
            place = (slice(*rows[0]), slice(*columns[0]))
            part = np.ix_(rows[1], columns[1])
        self._data[place] = data[part]
        if mask is np.ma.nomask:
            self._missing[place] = False
        else:
            missing = np.asarray(mask)[part]
            self._missing[place] = missing.any(axis=2) if missing.ndim == 3 else missing

    def values(self) -> Values:
        """Return the values; missing ones are masked, or transparent if they are colours."""
        if not self._missing.any():
            return self._data
        if self._data.ndim == 2:
            return np.ma.MaskedArray(self._data, self._missing)
        opaque = 255 if self._data.dtype.kind in "iu" else 1
        opacity = (
            np.full(self._missing.shape, opaque, self._data.dtype)
            if self._data.shape[2] == 3
            else self._data[..., 3].copy()
        )
        opacity[self._missing] = 0
        return np.concatenate([self._data[..., :3], opacity[..., None]], axis=2)


def _overlap(a: LayerSpan, b: LayerSpan) -> tuple[slice, slice]:
    rows, columns = (
        slice(max(first[0], second[0]), min(first[1], second[1]))
        for first, second in zip(a, b, strict=True)
    )
    return rows, columns


def _within(part: tuple[slice, slice], span: LayerSpan) -> tuple[slice, slice]:
    rows, columns = (
        slice(s.start - first, s.stop - first) for s, (first, _) in zip(part, span, strict=True)
    )
    return rows, columns


def _nearest(
    mine: tuple[int, int], theirs: tuple[int, int], factor: float, coarse: float
) -> tuple[tuple[int, int], npt.NDArray[np.intp]]:
    """Return the range of elements whose middle is in a tile, and the tile's element for each."""
    middles = (np.arange(*mine) + 0.5) * factor
    found = np.floor(middles / coarse).astype(np.intp)
    start, stop = np.searchsorted(found, theirs)
    return (int(start), int(stop)), found[start:stop] - theirs[0]
