"""Limits of colours: kept, so that panning does not change them.

Those that nobody gave follow, by the norm's own rule, from the least and greatest of the values
that were looked at: all of the coarsest level if it is small, else those of the first view.
As long as these come in, the limits follow; then they stay.
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
        Those that it has stay.

    anew : bool, optional
        Whether even those that it has are to be found.

    Attributes
    ----------
    settled : bool
        Whether they will not change any more.
    """

    def __init__(self, norm: Any, *, anew: bool = False) -> None:
        self.norm = norm
        self.settled = norm.scaled() and not anew
        self._ours = (norm.vmin, norm.vmax)
        self._given = [None, None] if anew else list(self._ours)
        self._extremes: dict[Hashable, npt.NDArray[Any]] = {}

    def begin_again(self) -> None:
        """Let them follow from other values alone, unless they are settled."""
        self._extremes.clear()

    def look(self, keys: Iterable[Hashable], tiles: Tiles[Any]) -> None:
        """Let the limits follow from the tiles that are here; settle them if none is to come."""
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
        """Take over what somebody else has set; tell whether that is all."""
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
    found = [data.min(), data.max()]
    if found[0] <= 0 < found[1]:
        found.append(data[data > 0].min())
    return np.asarray(found, data.dtype)
