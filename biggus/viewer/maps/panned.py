"""`Panned`: a labelled picture like that of `quicklook`, which is read as it is panned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import SourceError
from biggus.labels import Coordinate, Labels, labels_of
from biggus.viewer.layer_choice import coarse_values
from biggus.viewer.layers import Layers
from biggus.viewer.maps import labels
from biggus.viewer.maps.colours import Colours, colours_for
from biggus.viewer.maps.drawing import MISSING, Drawn, colour_map, count_ticks, finish
from biggus.viewer.maps.fields import FieldGrid, grid_of
from biggus.viewer.maps.look import colour_bar
from biggus.viewer.picture import Picture
from biggus.viewer.plotting import SAMPLE_BYTES, imshow

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from biggus.pyramids import Pyramid
    from biggus.viewer.artist import ArrayImage

_LONGEST = 8
"""The greatest ratio of rows to columns, or the reverse, with square elements."""


class Panned:
    """An array to pan over, at the first index along axes other than rows and columns.

    Parameters
    ----------
    shown : Pyramid
        The image, of real numbers or of colours.

    Attributes
    ----------
    grid : FieldGrid or None
        The grid of rows and columns; None if they have no coordinates, or uneven ones.
    """

    def __init__(self, shown: Pyramid) -> None:
        self._shown = shown
        self._picture = Picture(shown)
        self._planes = self._picture.planes(self._picture.normal_index(()))
        self._meaning: Labels = labels_of(self._planes[0].array.node, coordinates=True)
        self.grid = self._grid()

    def title(self, place: str) -> str:
        """Return a title with the coordinates selected along other axes."""
        picked = [labels.value_text(each) for each in self._meaning.alone()]
        return labels.GAP.join(labels.shortened(part) for part in (place, *picked) if part)

    def draw(self, figure: Figure) -> ArrayImage:
        """Draw a figure with axes, colours, a colour bar and coastlines; north is up."""
        ax: Any = figure.add_subplot()
        ax.set_facecolor(MISSING)
        grid = self.grid
        colours = self._colours()
        how = {} if colours is None else _scale(colours)
        image = imshow(self._shown, ax, extent=None if grid is None else grid.extent(), **how)
        if grid is None:
            self._write_places(ax)
        else:
            ax.set_aspect("auto")
            ax.set_xlim(*sorted(ax.get_xlim()))
            if grid.y_axis is not None:
                ax.set_ylim(*sorted(ax.get_ylim()))
            finish(ax, grid, coasts=not self._picture.coloured, ticks=7)
        if colours is not None:
            drawn, text = Drawn(image, np.asarray), labels.label_of(self._meaning)
            places = [flag for flag, _ in colours.flags]
            colour_bar(figure, drawn, [ax], colours, text, places)
        return image

    def _write_places(self, ax: Any) -> None:
        """Label rows and columns with coordinates, and orient them, though axes count elements."""
        rows, columns = self._picture.shape[:2]
        if max(rows, columns) > _LONGEST * min(rows, columns):
            ax.set_aspect("auto")
        for number, axis in enumerate((ax.yaxis, ax.xaxis)):
            each = self._meaning.along(number)
            axis.set_label_text(labels.axis_label(each, number), parse_math=False)
            count_ticks(axis)
            if each is not None:
                axis.set_major_formatter(_written(each))
        if labels.grows_upward(self._meaning.along(0)):
            ax.yaxis.set_inverted(False)

    def _grid(self) -> FieldGrid | None:
        if self._meaning.along(0) is None or self._meaning.along(1) is None:
            return None
        rows, columns = self._picture.shape[:2]
        grid = grid_of(self._meaning, (rows, columns))
        known = grid.x_axis is not None and grid.y_axis is not None
        return grid if known and grid.even else None

    def _colours(self) -> Colours | None:
        """Return the colours of the values; None for images, or if a read fails."""
        if self._picture.coloured:
            return None
        layers = Layers(self._planes, self._picture.normal_index(()), SAMPLE_BYTES)
        try:
            values = coarse_values(layers, self._picture.shape)
        except SourceError:  # the image shows other parts, and reports the error
            return None
        return colours_for(np.ma.asarray(values), self._meaning.attributes, self._meaning.name)


def _written(each: Coordinate) -> Callable[[float, Any], str]:
    """Return the formatter of a coordinate: from the number of an element to its text."""
    values = np.asarray(each.values())
    dates = labels.dates_of(each, values)
    shown = values if dates is None else dates

    def written(number: float, _position: Any) -> str:
        known = number == round(number) and 0 <= number < len(shown)
        return labels.place_text(each, shown[int(number)]) if known else ""

    return written


def _scale(colours: Colours) -> dict[str, Any]:
    """Return the colour map and norm of flags; other values are transparent."""
    if not colours.flags:
        return {"cmap": colour_map(colours), "vmin": colours.vmin, "vmax": colours.vmax}
    from matplotlib.colors import BoundaryNorm, ListedColormap

    flags = np.array([flag for flag, _ in colours.flags])
    edges = np.unique([flags - 0.5, flags + 0.5])
    own = dict(zip(np.searchsorted(edges, flags) - 1, colours.cmap, strict=True))
    listed = [own.get(place, MISSING) for place in range(len(edges) - 1)]
    cmap = ListedColormap(listed).with_extremes(bad=MISSING, under=MISSING, over=MISSING)
    return {"cmap": cmap, "norm": BoundaryNorm(edges, len(listed))}
