"""Facts: the metadata and values of an array that the page shows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import select
from biggus.indexing.selection import Selection
from biggus.labels import Coordinate, Labels, labels_of
from biggus.support.once import once
from biggus.viewer.maps import labels
from biggus.viewer.maps.colours import Colours, colours_for
from biggus.viewer.web.rendering import Flagging, Renderer

if TYPE_CHECKING:
    from biggus.array import Array
    from biggus.sources.base import Values
    from biggus.viewer.picture import Picture

MAPS = (
    "viridis",
    "inferno",
    "cividis",
    "plasma",
    "RdBu_r",
    "YlGnBu",
    "Blues_r",
    "twilight",
    "gray",
)
"""The colour maps to choose from."""

FLAGS = "flags"
"""An additional choice if values are flags: one colour for each."""

_MOST_NAMES = 2000
"""The most elements of an axis whose values are sent at once; others are sent on demand."""

_GREATEST_EXACT = 2**53

_MOST_VALUES = 2000
"""The most values of a series."""


class Facts:
    """The facts of the picture of a renderer.

    Parameters
    ----------
    renderer : Renderer
        The renderer of the tiles.
    title : str
        The title of the page.
    """

    def __init__(self, renderer: Renderer, title: str) -> None:
        self.renderer = renderer
        self.picture = renderer.picture
        self.array: Array = self.picture.pyramid.levels[0].array
        self.meaning: Labels = labels_of(self.array.node, coordinates=True)
        self.title = title

    def whole(self) -> dict[str, Any]:
        """Return the facts that the page needs at the start."""
        rows, columns = self.picture.shape[:2]
        facts: dict[str, Any] = {
            "title": self.title,
            "label": labels.label_of(self.meaning),
            "rows": rows,
            "columns": columns,
            "zooms": self.renderer.zooms,
            "coloured": self.picture.coloured,
            "attribution": self.picture.pyramid.attribution or "",
            "maps": MAPS,
            "axes": [self._axis(axis) for axis in self.picture.others],
        }
        if not facts["coloured"]:
            facts["colours"] = self._choice()
            texts = [text.replace("_", " ") for _, text in self.flagging.flags]
            facts["flags"] = list(zip(texts, self.flagging.colours, strict=True))
        return facts

    @once
    def _colours(self) -> Colours:
        values = np.ma.asarray(self._some_values())
        return colours_for(values, self.meaning.attributes, self.meaning.name)

    def _some_values(self) -> Values:
        """Return values at the first index along other axes that has any."""
        lengths = [self.array.shape[axis] for axis in self.picture.others]
        places = (tuple(int(share * (n - 1)) for n in lengths) for share in (0, 0.5, 1))
        for index in dict.fromkeys(places):
            values = self.renderer.values(index)
            if np.isfinite(np.ma.compressed(values)).any():
                break
        return values

    @once
    def flagging(self) -> Flagging:
        """The colours of flags; without flags if values are none."""
        return Flagging(self._colours.flags)

    def _choice(self) -> dict[str, Any]:
        """Return the initial colour map and limits."""
        colours = self._colours
        if colours.flags:  # their limits are those of places of flags, not of values
            least, greatest = colours.flags[0][0], colours.flags[-1][0]
            return {"cmap": FLAGS, "vmin": least - 0.5, "vmax": greatest + 0.5}
        cmap = colours.cmap if colours.cmap in MAPS else MAPS[0]
        return {"cmap": cmap, "vmin": colours.vmin, "vmax": colours.vmax}

    def _axis(self, axis: int) -> dict[str, Any]:
        each = self.meaning.along(axis)
        length = self.array.shape[axis]
        names = None
        if each is not None and length <= _MOST_NAMES:
            names = [_text(each, value) for value in _dated(each)]
        return {
            "name": f"axis {axis}" if each is None else each.name,
            "length": length,
            "names": names,
        }

    def value(self, row: int, column: int, index: tuple[int, ...]) -> dict[str, Any]:
        """Return the value of one element, and its coordinates."""
        row, column = self._place(row, column)
        plane = self.picture.planes(index)[0].array
        value = plane[row, column].masked_array().tolist()  # None where it is missing
        where = []
        for place, axis in ((column, self.picture.axes[1]), (row, self.picture.axes[0])):
            each = self.meaning.along(axis)
            if each is not None:
                where.append(_text(each, _dated(each, place)[0]))
        return {"value": _exact(value), "where": where}

    def _place(self, row: int, column: int) -> tuple[int, int]:
        """Return the row and column of the array that are drawn there, counted from the top left.

        Raises
        ------
        IndexError
            If the picture has no such row or column.
        """
        names = ("row", "column")
        for name, number, count in zip(names, (row, column), self.picture.shape, strict=False):
            if not 0 <= number < count:
                raise IndexError(f"there is no {name} {number} of {count}")
        return (self.picture.shape[0] - 1 - row if self.renderer.upward else row), column

    def series(self, row: int, column: int, index: tuple[int, ...], axis: int) -> dict[str, Any]:
        """Return the values along another axis at one element, or a sample if there are many.

        Raises
        ------
        IndexError
            If there is no such axis, or place.
        """
        others = self.picture.others
        if not 0 <= axis < len(others):
            raise IndexError(f"there is no axis {axis} beside rows and columns")
        length = self.array.shape[others[axis]]
        step = max(1, math.ceil(length / _MOST_VALUES))
        key: list[Any] = [0] * self.array.ndim
        for place, number in zip(others, index, strict=True):
            key[place] = number
        key[others[axis]] = slice(None, None, step)
        rows, columns = self.picture.axes
        key[rows], key[columns] = self._place(row, column)
        values = self.array[tuple(key)].masked_array().tolist()  # None where one is missing
        return {"step": step, "values": [_plain(value) for value in values]}


def grows_upward(picture: Picture) -> bool:
    """Tell whether the first row is at the bottom."""
    node = picture.pyramid.levels[0].array.node
    return labels.grows_upward(labels_of(node, coordinates=True).along(picture.axes[0]))


def _dated(each: Coordinate, place: int | None = None) -> Any:
    """Return the values of a coordinate, or one of them; times as dates."""
    if place is not None:
        one = Selection.of_box((slice(place, place + 1, 1),))
        each = replace(each, node=select(each.node, one))
    values = np.atleast_1d(np.asarray(each.values()))
    dates = labels.dates_of(each, values)
    return values if dates is None else dates


def _text(each: Coordinate, value: Any) -> str:
    text = labels.place_text(each, value)
    is_clear = each.kind in ("latitude", "longitude") or labels.is_date(value)
    return text if is_clear else f"{each.name} {text}"


def _exact(value: Any) -> Any:
    """Return a value for JSON; integers that JavaScript would round become texts."""
    rounded = isinstance(value, int) and abs(value) > _GREATEST_EXACT
    return str(value) if rounded else _plain(value)


def _plain(value: Any) -> Any:
    """Return a value for JSON; values other than finite numbers become texts."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
