"""A scene: the tiles of a picture that have been read, and those to read for the current view."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus import engine
from biggus.viewer.layer_choice import ScreenView, ancestor, chosen
from biggus.viewer.layers import Layer, Layers, LayerSpan, TileKey
from biggus.viewer.tiles import PATIENCE_SECONDS, Tiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.sources.base import Values
    from biggus.viewer.picture import Picture


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
    numbers = np.floor(middles / coarse).astype(np.intp)
    start, stop = np.searchsorted(numbers, theirs)
    return (int(start), int(stop)), numbers[start:stop] - theirs[0]


SMALL = 2**18
"""The most elements of a coarsest level that is read as a whole to find colour limits."""


class Scene:
    """A picture, and the tiles of it that are in memory.

    Parameters
    ----------
    picture : Picture
        The picture.
    index : tuple of int
        The index along its other axes.
    sample_bytes : int
        The most bytes to read for a view that shows a sample of the elements.

    Attributes
    ----------
    tiles : Tiles
        The tiles in memory, and those being read.
    sampled : str or None
        The fraction of elements that the last frame shows, as text; None if all.
    """

    def __init__(self, picture: Picture, index: tuple[int, ...], sample_bytes: int) -> None:
        self.picture = picture
        self.tiles: Tiles[TileKey] = Tiles()
        self.sampled: str | None = None
        self._sample_bytes = sample_bytes
        self._needed: list[TileKey] = []
        self._wanted: list[TileKey] = []
        self._view: ScreenView | None = None
        self._frame: Frame | None = None
        self.index = index

    @property
    def index(self) -> tuple[int, ...]:
        """The index along axes other than rows, columns and colours."""
        return self._index

    @index.setter
    def index(self, index: tuple[int, ...]) -> None:
        self._index = index
        self._layers = Layers(self.picture.planes(index), index, self._sample_bytes)
        self._view = self._frame = None

    def show(
        self, view: ScreenView, reach: int, *, for_limits: bool, complete: bool, alone: bool
    ) -> Frame:
        """Return a frame of a view with the tiles in memory, and start to read the others.

        Parameters
        ----------
        view : ScreenView
            The view.
        reach : int
            The number of elements beyond the edges that interpolation needs.
        for_limits : bool
            Whether the tiles that determine colour limits are needed as well.
        complete : bool
            Whether to wait until all tiles have been read.
        alone : bool
            Whether to keep reading tiles that other views need.
        """
        if view != self._view:
            self.tiles.failed.clear()  # they are read again
            self._view = view
        layer = chosen(self._layers, view)
        span = layer.span(view.window, reach if layer.steps == (1, 1) else 0)
        self._needed = _from_the_middle(layer.tiles(span))
        wanted = dict.fromkeys(self._needed, layer)
        if for_limits:
            # Tiles of the coarsest level are included if they failed, to report the error.
            limit_tiles = (*self._coarsest(), *self.limit_tiles)
            wanted = {key: self._layer_of(key) for key in limit_tiles} | wanted
        requested = wanted if complete else self._with_ancestors(wanted, layer, view)
        if not alone:
            self.tiles.cancel(but=requested)
        for key, its in requested.items():
            if key not in self.tiles:
                self.tiles.ask(key, partial(engine.evaluate, its.values(key).node))
        self.tiles.wait(wanted, None if complete else PATIENCE_SECONDS)
        self._wanted = list(wanted)
        self.arrived()
        if self._frame is None or not self._frame.is_of(layer, span):
            self._frame = self._framed(layer, span)
            self.sampled = _sampled(layer)
        return self._frame

    def _with_ancestors(
        self, wanted: dict[TileKey, Layer], layer: Layer, view: ScreenView
    ) -> dict[TileKey, Layer]:
        """Return the wanted tiles, preceded by coarser ones to show until they are read."""
        above = ancestor(self._layers, view, layer)
        if above is None or all(key in self.tiles for key in wanted):
            return wanted
        return dict.fromkeys(above.tiles(above.span(view.window)), above) | wanted

    def _framed(self, layer: Layer, span: LayerSpan) -> Frame:
        frame = Frame(layer, span)
        if any(key not in self.tiles for key in self._needed):
            for other in self._others(layer):  # finer ones cover coarser ones
                frame.paste(other, self._here(other), self.tiles)
        frame.paste(layer, self._needed, self.tiles)
        frame.blank([key for key in self._needed if key in self.tiles.failed])
        return frame

    def _others(self, layer: Layer) -> list[Layer]:
        """Return the other layers that have tiles in memory, the coarsest first."""
        others = {key.layer: self._layer_of(key) for key in self.tiles if self._is_mine(key)}
        others.pop(layer.key, None)
        return sorted(others.values(), key=lambda other: -math.prod(other.factors))

    def _here(self, layer: Layer) -> list[TileKey]:
        return [key for key in self.tiles if key.layer == layer.key]

    def _is_mine(self, key: TileKey) -> bool:
        return key.layer[:-3] == self._index

    def _layer_of(self, key: TileKey) -> Layer:
        level, down, across = key.layer[-3:]
        return self._layers.at(level, (down, across))

    @property
    def limit_tiles(self) -> list[TileKey]:
        """The tiles whose values determine the colour limits."""
        keys = self._coarsest()
        return self._needed if all(key in self.tiles.failed for key in keys) else keys

    def _coarsest(self) -> list[TileKey]:
        """Return the tiles of the coarsest level, if it is small."""
        coarsest = self._layers.at(len(self._layers.planes) - 1)
        rows, columns = coarsest.shape
        if rows * columns > SMALL:
            return []
        return list(coarsest.tiles(LayerSpan((0, rows), (0, columns))))

    def arrived(self) -> bool:
        """Collect the tiles that have been read; tell whether there are any."""
        arrived = self.tiles.collect(self._wanted)
        if arrived:
            self._frame = None
        return arrived

    @property
    def waiting(self) -> bool:
        """Whether tiles are still being read."""
        return self.tiles.waiting

    @property
    def errors(self) -> list[Exception]:
        """The errors of tiles of the last view."""
        return [self.tiles.failed[key] for key in self._wanted if key in self.tiles.failed]

    def value_at(self, row: float, column: float) -> Any:
        """Return the value at a position of the finest level, from the finest tile in memory."""
        here = [key for key in self.tiles if self._is_mine(key)]
        for key in sorted(here, key=lambda key: math.prod(self._layer_of(key).factors)):
            layer = self._layer_of(key)
            down, across = (int(n // f) for n, f in zip((row, column), layer.factors, strict=True))
            (top, bottom), (left, right) = layer.bounds(key)
            if top <= down < bottom and left <= across < right:
                return self.tiles[key][down - top, across - left]
        return None

    def clear(self) -> None:
        """Drop all tiles, and stop reading."""
        self.tiles.clear()
        self._frame = None


def _from_the_middle(keys: Iterable[TileKey]) -> list[TileKey]:
    """Return tiles sorted by their distance from the middle."""
    tiles = list(keys)
    if not tiles:
        return tiles
    row = (tiles[0].row + tiles[-1].row) / 2
    column = (tiles[0].column + tiles[-1].column) / 2
    return sorted(tiles, key=lambda tile: (tile.row - row) ** 2 + (tile.column - column) ** 2)


def _sampled(layer: Layer) -> str | None:
    down, across = layer.steps
    return None if down * across == 1 else f"sampled 1 in {down * across:,}"
