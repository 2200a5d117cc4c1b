"""Drawing lines, maps and images into the axes of a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.support.extras import needing
from biggus.viewer.maps import labels
from biggus.viewer.maps.coast import coastlines
from biggus.viewer.maps.colours import Colours, bounded, places_of_flags, with_opacity

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from biggus.labels import Coordinate, Labels
    from biggus.viewer.maps.fields import FieldGrid

MISSING = "0.72"
"""The grey of missing values, which no colour map contains."""

_NOTE: dict[str, Any] = {
    "horizontalalignment": "center",
    "verticalalignment": "center",
    "bbox": {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 3},
}

_DECIMAL = [1, 2, 5, 10]
"""The steps between ticks, but for powers of ten."""

_PARTS_OF_CIRCLE = [1, 1.5, 3, 4.5, 6, 9, 10]
"""The same for wide ranges of degrees: 10, 15, 30, 45, 60 or 90 degrees."""

_WIDE = 60.0
"""The degrees above which a range is wide."""

_BLUE = "#1f5a96"
"""The colour of lines."""


def new_figure(size: tuple[float, float], title: str) -> Figure:
    """Return a figure without a window."""
    # Without pyplot: no global state.
    with needing("matplotlib", "viewer", "drawing"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(labels.heading(title, size[0]), fontsize=11, parse_math=False)
    return figure


def draw_line(ax: Any, values: Any, meaning: Labels) -> None:
    """Draw the values along one axis as a line, with gaps for missing ones."""
    along = meaning.along(0)
    numbers = _numbers(values)
    x: npt.NDArray[Any] = np.arange(len(numbers))
    dates = None
    if along is not None:
        x = np.asarray(along.values())
        dates = labels.dates_of(along, x)
    if dates is not None and dates.dtype.kind == "M":
        x = dates
    elif dates is not None:
        _cftime_ticks(ax, x, dates)
    if x.dtype.kind not in "iufM":
        along, x = None, np.arange(len(numbers))
    ends = x[~np.isnat(x) if x.dtype.kind == "M" else np.isfinite(x)]
    _plot(ax, x, numbers, np.isfinite(numbers))
    if not np.isfinite(numbers).any() and len(ends) > 1:
        ax.set_xlim(ends.min(), ends.max())
    _note_missing(ax, numbers)
    _write_labels(ax, labels.axis_label(along, 0), labels.label_of(meaning))
    ax.grid(alpha=0.3)
    if x.dtype.kind == "M":
        _date_ticks(ax.xaxis)
    elif along is None:
        count_ticks(ax.xaxis)
    elif dates is None:
        _degree_ticks(ax.xaxis, along.kind)


def draw_profile(ax: Any, values: Any, meaning: Labels, depth: Coordinate) -> None:
    """Draw values over a depth or a pressure, which increases downwards on the vertical axis."""
    numbers = _numbers(values)
    _plot(ax, numbers, np.asarray(depth.values()), np.isfinite(numbers))
    ax.yaxis.set_inverted(True)
    _note_missing(ax, numbers)
    _write_labels(ax, labels.label_of(meaning), labels.axis_label(depth, 0))
    ax.grid(alpha=0.3)


def _numbers(values: Any) -> npt.NDArray[np.float64]:
    """Return values as float64, NaN where they are missing."""
    numbers: npt.NDArray[np.float64] = np.ma.filled(
        np.ma.asarray(values).astype(np.float64), np.nan
    )
    return numbers


def _plot(ax: Any, x: Any, y: Any, known: npt.NDArray[np.bool_]) -> None:
    """Draw a line, and dots for values whose neighbours are missing."""
    (line,) = ax.plot(x, y, linewidth=1.0, color=_BLUE)
    alone = _alone(known)
    if alone.any():
        line.set(marker=".", markevery=alone)


def _alone(known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which values have no known neighbours, so that no line shows them."""
    beside = np.zeros_like(known)
    beside[1:] = known[:-1]
    beside[:-1] |= known[1:]
    return known & ~beside


def _note_missing(ax: Any, values: Any) -> Any:
    """Add a text if all values are missing, and return it."""
    note = ax.text(0.5, 0.5, "all values are missing", transform=ax.transAxes, **_NOTE)
    note.set_visible(_all_missing(values))
    return note


def _all_missing(values: Any) -> bool:
    known = np.ma.compressed(values)
    return bool(np.isnan(known).all()) if known.dtype.kind == "f" else not known.size


def _write_labels(ax: Any, x: str, y: str) -> None:
    # Texts of stores may contain a dollar sign, and are not formulas.
    size = ax.bbox.transformed(ax.figure.dpi_scale_trans.inverted())
    ax.set_xlabel(labels.wrapped(x, size.width), parse_math=False)
    ax.set_ylabel(labels.wrapped(y, size.height), parse_math=False)


@dataclass
class Drawn:
    """A map that was drawn, whose values can be changed.

    Attributes
    ----------
    artist : matplotlib.artist.Artist
        The image or mesh.
    turn : callable
        Turns values into those that the artist shows.
    note : matplotlib.text.Text or None
        The text that is visible if all values are missing.
    """

    artist: Any
    turn: Callable[[Any], Any]
    note: Any = None

    def show(self, values: Any) -> None:
        """Show other values."""
        set_values = getattr(self.artist, "set_data", self.artist.set_array)
        set_values(self.turn(values))
        if self.note is not None:
            self.note.set_visible(_all_missing(values))


def draw_field(
    ax: Any, values: Any, grid: FieldGrid, colours: Colours | None, coasts: bool, ticks: int = 7
) -> Drawn:
    """Draw a map of numbers; or of pixels, if there are no `colours`.

    Axes have at most `ticks` ticks.
    """
    ax.set_facecolor(MISSING)
    how: dict[str, Any] = {}
    if colours is not None:
        how = {"cmap": colour_map(colours), "vmin": colours.vmin, "vmax": colours.vmax}

    def numbers(values: Any) -> Any:
        if colours is None:
            return with_opacity(values) if np.ma.is_masked(values) else values
        flagged = places_of_flags(values, colours.flags) if colours.flags else values
        data = np.ma.getdata(flagged)
        missing = np.ma.getmaskarray(flagged) | np.isnan(data)
        return np.ma.MaskedArray(bounded(data, colours.vmin, colours.vmax), mask=missing)

    if grid.even or colours is None:
        axes, extent = _north_up(grid)

        def turn(values: Any) -> Any:
            return numbers(values)[axes]

        how |= {"extent": extent, "origin": "upper", "aspect": "auto"}
        artist = ax.imshow(turn(values), interpolation="nearest", **how)
    else:
        turn = numbers
        x, y = (corners(_unbroken(grid.x)), corners(grid.y)) if grid.curved else (grid.x, grid.y)
        shading = "flat" if grid.curved else "nearest"
        artist = ax.pcolormesh(x, y, turn(values), shading=shading, rasterized=True, **how)
    finish(ax, grid, coasts and not (colours is None and not grid.even), ticks)
    return Drawn(artist, turn, _note_missing(ax, values))


def colour_map(colours: Colours) -> Any:
    """Return a colour map of matplotlib, with the colour of missing values."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    cmap = colours.cmap
    if isinstance(cmap, list):
        return ListedColormap(cmap).with_extremes(bad=MISSING)
    return colormaps.get_cmap(cmap).with_extremes(bad=MISSING)


def _north_up(
    grid: FieldGrid,
) -> tuple[tuple[slice, slice], tuple[float, float, float, float] | None]:
    """Return how to flip rows and columns, and the extent, for axes that increase up and right.

    Rows that are only counted are counted downwards.
    """
    if not grid.even:
        return (slice(None), slice(None)), None
    left, right, bottom, top = grid.extent()
    rows, columns = slice(None), slice(None)
    if grid.y_axis is not None and top < bottom:
        rows, top, bottom = slice(None, None, -1), bottom, top
    if left > right:
        columns, left, right = slice(None, None, -1), right, left
    return (rows, columns), (left, right, bottom, top)


def finish(ax: Any, grid: FieldGrid, coasts: bool, ticks: int) -> None:
    """Label the axes, and draw coastlines over a map."""
    _write_labels(ax, labels.axis_label(grid.x_axis, 1), labels.axis_label(grid.y_axis, 0))
    if grid.y_axis is not None and grid.y_axis.downward:
        ax.yaxis.set_inverted(True)
    for axis, each, values in ((ax.xaxis, grid.x_axis, grid.x), (ax.yaxis, grid.y_axis, grid.y)):
        if each is None:
            count_ticks(axis, ticks)
            continue
        dates = labels.dates_of(each, values) if each.kind == "time" else None
        if values.dtype.kind == "M":
            _date_ticks(axis)
        elif dates is not None:
            _cftime_ticks(ax, values, dates, axis)
        else:
            _degree_ticks(axis, each.kind, ticks)
    if grid.geographic:
        if grid.stretch is not None:
            ax.set_aspect(grid.stretch)
        if coasts:
            _draw_coasts(ax)
    elif _alike(grid):
        ax.set_aspect(1)


def _alike(grid: FieldGrid) -> bool:
    """Tell whether both axes are lengths in the same units, or element numbers."""
    if grid.x_axis is None or grid.y_axis is None:
        rows, columns = len(grid.y), len(grid.x)
        return grid.x_axis is grid.y_axis and max(rows, columns) <= 8 * min(rows, columns)
    units = [str(each.attributes.get("units", "")) for each in (grid.x_axis, grid.y_axis)]
    return units[0] == units[1] != "" and {grid.x_axis.kind, grid.y_axis.kind} == {"x", "y"}


def _draw_coasts(ax: Any) -> None:
    from matplotlib.patheffects import withStroke

    # Dark with a light outline, to be visible on dark and on light colours.
    how = {"path_effects": [withStroke(linewidth=1.3, foreground="1", alpha=0.45)]}
    (west, east), (south, north) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    span = max(east - west, north - south)
    detail = "i" if span < 12 else "l" if span < 90 else "c"
    # Lines range from -180 to 180; the longitudes of a map may range to 360 or beyond.
    for line in coastlines(south, north, detail):
        least, greatest = np.nanmin(line[:, 0]), np.nanmax(line[:, 0])
        for turn in (-360, 0, 360):
            if greatest + turn >= west and least + turn <= east:
                ax.plot(line[:, 0] + turn, line[:, 1], color="0.12", linewidth=0.6, **how)
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)


def _degree_ticks(axis: Any, kind: str | None, most: int = 7) -> None:
    from matplotlib.ticker import MaxNLocator

    if kind not in ("longitude", "latitude"):
        if most < 7:  # small panels: numbers may be long
            axis.set_major_locator(MaxNLocator(nbins=most - 1))
        return
    sides = ("E", "W") if kind == "longitude" else ("N", "S")

    def written(degrees: float, _position: int) -> str:
        if kind == "longitude":
            degrees = (degrees + 180) % 360 - 180
            if abs(degrees) == 180:
                return "180°"
        return labels.degrees_text(round(degrees, 6), *sides)

    first, last = sorted(axis.get_view_interval())
    steps = _PARTS_OF_CIRCLE if last - first > _WIDE else _DECIMAL
    axis.set_major_locator(MaxNLocator(nbins=most, steps=steps))
    axis.set_major_formatter(written)


def count_ticks(axis: Any, most: int = 7) -> None:
    """Set ticks at whole numbers, for an axis of element numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, integer=True, steps=_DECIMAL))


def _date_ticks(axis: Any) -> None:
    from matplotlib import dates

    made: Any = dates  # it has no types
    locator = made.AutoDateLocator()
    axis.set_major_locator(locator)
    axis.set_major_formatter(made.ConciseDateFormatter(locator))


def _cftime_ticks(ax: Any, x: npt.NDArray[Any], dates: npt.NDArray[Any], axis: Any = None) -> None:
    """Label a few ticks of an axis of numbers with dates."""
    known = np.flatnonzero(np.isfinite(x))
    places = known[:: -(-len(known) // 5) or 1]
    texts = [labels.date_text(dates[place]) for place in places]
    axis = ax.xaxis if axis is None else axis
    axis.set_ticks([float(x[place]) for place in places], labels=texts)


def _unbroken(longitude: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the longitudes of a curved grid without the jump from 180 to -180."""
    along_rows = np.unwrap(longitude, period=360, axis=1)
    unbroken: npt.NDArray[Any] = np.unwrap(along_rows, period=360, axis=0)
    return unbroken


def corners(middles: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the corners of the cells of a curved grid, with one more row and column.

    Examples
    --------
    >>> corners(np.array([[0.0, 2.0], [0.0, 2.0]])).tolist()
    [[-1.0, 1.0, 3.0], [-1.0, 1.0, 3.0], [-1.0, 1.0, 3.0]]
    """
    # Extrapolate by one row and one column on each side.
    around = np.pad(middles.astype(np.float64), 1, mode="reflect", reflect_type="odd")
    inner: npt.NDArray[Any] = (
        around[:-1, :-1] + around[:-1, 1:] + around[1:, :-1] + around[1:, 1:]
    ) / 4
    return inner
