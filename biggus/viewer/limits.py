"""Colour limits, which panning does not change.

Limits that are not given are set, by the rule of the norm, from the least and the greatest value
of the coarsest level if it is small, else of the first view.
They change while these values are being read, and stay afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from biggus.sources.base import Values
    from biggus.viewer.tiles import Tiles


class Limits:
    """The limits of a norm.

    Parameters
    ----------
    norm : matplotlib.colors.Normalize
        The norm; limits that it has are kept.
    fresh : bool, optional
        Whether limits that the norm has are determined again.

    Attributes
    ----------
    settled : bool
        Whether the limits are final.
    """

    def __init__(self, norm: Any, *, fresh: bool = False) -> None:
        self.norm = norm
        self.settled = norm.scaled() and not fresh
        self._ours = (norm.vmin, norm.vmax)
        self._given = [None, None] if fresh else list(self._ours)
        self._extremes: dict[Hashable, npt.NDArray[Any]] = {}

    def begin_again(self) -> None:
        """Discard the values seen so far, for a new image."""
        self._extremes.clear()

    def look(self, keys: Iterable[Hashable], tiles: Tiles[Any]) -> None:
        """Update the limits from tiles in memory; they are final if none is missing."""
        if self.settled or self._all_given():
            self.settled = True
            return
        keys = list(keys)
        new = [key for key in keys if key in tiles and key not in self._extremes]
        for key in new:
            self._extremes[key] = _extremes(tiles[key])
        if new:
            self._follow()
        self.settled = not tiles.missing(keys) and self.norm.scaled()

    def _all_given(self) -> bool:
        """Adopt limits that were set by others; tell whether both were."""
        present = (self.norm.vmin, self.norm.vmax)
        for number, (now, before) in enumerate(zip(present, self._ours, strict=True)):
            if now != before:
                self._given[number] = now
        self._ours = present
        return None not in self._given

    def _follow(self) -> None:
        values = np.concatenate(list(self._extremes.values()))
        if not values.size:
            return
        norm = self.norm
        with norm.callbacks.blocked():
            norm.autoscale(values)
            if self._given[0] is not None:
                norm.vmin = self._given[0]
            if self._given[1] is not None:
                norm.vmax = self._given[1]
        ours = (norm.vmin, norm.vmax)
        if ours != self._ours:
            self._ours = ours
            norm.callbacks.process("changed")


def _extremes(values: Values) -> npt.NDArray[Any]:
    """Return the least and the greatest finite value, and the least above 0."""
    data: npt.NDArray[Any] = np.ma.getdata(values)[~np.ma.getmaskarray(values)]
    if data.dtype.kind == "f":
        data = data[np.isfinite(data)]
    if not data.size:
        return data
    extremes = [data.min(), data.max()]
    if extremes[0] <= 0 < extremes[1]:
        extremes.append(data[data > 0].min())
    return np.asarray(extremes, data.dtype)
