"""`imshow`, `plot` and `hist`: arrays in a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.array import Array
from biggus.construct import ArrayAdapter
from biggus.functions.statistics import histogram
from biggus.options import parse_size
from biggus.support.extras import needing
from biggus.together import ndarrays
from biggus.viewer.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from biggus.viewer.artist import ArrayImage
    from biggus.viewer.line import ArrayLine

SAMPLE_BYTES = 128_000_000
"""The default limit of bytes to read for a view."""

_NOTE: dict[str, Any] = {
    "horizontalalignment": "right",
    "verticalalignment": "bottom",
    "fontsize": "x-small",
    "bbox": {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5},
}


def imshow(
    shown: Any,
    ax: Axes | None = None,
    *,
    cmap: Any = None,
    norm: Any = None,
    aspect: Any = None,
    interpolation: str | None = None,
    alpha: float | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    origin: str | None = None,
    extent: tuple[float, float, float, float] | None = None,
    levels: Sequence[Any] | None = None,
    index: int | tuple[int, ...] = 0,
    block: bool = False,
    sample_bytes: int | str = SAMPLE_BYTES,
    resample: bool | None = None,
    **kwargs: Any,
) -> ArrayImage:
    """Show an image of any size, reading only the part that is on the screen.

    The image looks like that of :meth:`matplotlib.axes.Axes.imshow`.  In a window, other threads
    read it, and it is redrawn as values arrive.  Without a window, and when the figure is saved,
    drawing waits until the image is complete.

    For a pyramid, the coarsest level that fills the pixels is read.  For an array without
    coarser levels, every n-th row and column is shown if there are more than two for a pixel;
    a note in the figure says so.

    Parameters
    ----------
    shown : Array, Pyramid or array_like
        The image, of shape (rows, columns) or (rows, columns, 1, 3 or 4).  More axes may come
        before these: see `index`.
    ax : Axes, optional
        The axes to draw into; by default the current axes of pyplot.
    levels : sequence of Array, optional
        The same image at coarser resolutions, the finest of them first.
    index : int or tuple of int, optional
        The index along axes other than rows, columns and colours.  ``set_index`` of the image
        changes it.
    block : bool, optional
        Whether drawing waits until the image is complete, in windows, too.
    sample_bytes : int or str, optional
        The most bytes to read for a view of an image without coarser levels.
    cmap, norm, aspect, interpolation, alpha, vmin, vmax, origin, extent, resample, **kwargs
        As for :meth:`matplotlib.axes.Axes.imshow`.  Colour limits that are not given are the
        least and greatest value of the coarsest level, if that has at most 512 by 512 pixels,
        else those of the first view.  They do not change later.

    Returns
    -------
    ArrayImage
        The image, an :class:`matplotlib.image.AxesImage`.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Notes
    -----
    ``ax.imshow(array)`` works as well, but reads the whole array, which must fit into the
    ``memory`` option.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().add_subplot()
    >>> image = biggus.imshow(biggus.zeros((2**20, 2**20)), ax)
    >>> ax.set_xlim(0, 1000)
    (0.0, 1000.0)
    """
    current = ax is None
    ax = _axes(ax)
    from biggus.viewer.artist import ArrayImage

    image = ArrayImage(
        ax,
        shown,
        levels=levels,
        index=index,
        block=block,
        sample_bytes=parse_size(sample_bytes),
        cmap=cmap,
        norm=norm,
        interpolation=interpolation,
        origin=origin,
        extent=extent,
        resample=resample,
        **kwargs,
    )
    _set_aspect(ax, image, aspect)
    _set_limits(image, norm, vmin, vmax)
    image.set_alpha(alpha)
    _add(ax, image)
    image.note = ax.text(1, 0, "", transform=ax.transAxes, **_NOTE)
    ax.figure.canvas.mpl_connect("close_event", image.close)
    if current:
        from matplotlib import pyplot as plt

        plt.sci(image)
    return image


def _set_aspect(ax: Axes, image: ArrayImage, aspect: Any) -> None:
    """Set the aspect of axes as `Axes.imshow` does."""
    import matplotlib as mpl

    of_data = image.get_transform().contains_branch(ax.transData)
    if aspect is None and (of_data or not image.is_transform_set()):
        aspect = mpl.rcParams["image.aspect"]
    if aspect is not None:
        ax.set_aspect(aspect)


def _add(ax: Axes, image: ArrayImage) -> None:
    if image.get_clip_path() is None:
        image.set_clip_path(ax.patch)
    image.set_extent(image.get_extent())
    ax.add_image(image)


def _set_limits(image: ArrayImage, norm: Any, vmin: float | None, vmax: float | None) -> None:
    """Set the colour limits."""
    import matplotlib as mpl

    if vmin is not None or vmax is not None:
        if isinstance(norm, mpl.colors.Normalize):
            raise ValueError("pass a norm, or vmin and vmax, but not both")
        image.set_clim(vmin, vmax)


def plot(
    array: Any,
    ax: Axes | None = None,
    *,
    extent: tuple[float, float] | None = None,
    block: bool = False,
    sample_bytes: int | str = SAMPLE_BYTES,
    **kwargs: Any,
) -> ArrayLine:
    """Draw a series of any length as a line, at the resolution of the screen.

    If there are more values than pixels, the line joins the least and the greatest value of
    each pixel.  Values are read again when the limits of the axes change.

    Parameters
    ----------
    array : Array or array_like
        The series, of one axis.
    ax : Axes, optional
        The axes to draw into; by default the current axes of pyplot.
    extent : (float, float), optional
        The positions of the first and the last value; by default their indices.
    block : bool, optional
        Whether drawing waits until the line is complete, in windows, too.
    sample_bytes : int or str, optional
        The most bytes to read for a view.  If it would need more, a sample is read, and the
        attribute ``sampled`` of the line is true.
    **kwargs
        As for :meth:`matplotlib.axes.Axes.plot`.

    Returns
    -------
    ArrayLine
        The line, a :class:`matplotlib.lines.Line2D`.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> from matplotlib.figure import Figure
    >>> line = biggus.plot(np.arange(10.0), Figure().add_subplot())
    >>> line.get_ydata()[:3]
    array([0., 1., 2.])
    """
    ax = _axes(ax)
    from biggus.viewer.line import ArrayLine

    shown = array if isinstance(array, Array) else ArrayAdapter(array)
    series = Series(shown, parse_size(sample_bytes))
    (like,) = ax.plot([], [], **kwargs)  # takes the next colour of the cycle
    like.remove()
    ends = (0.0, max(shown.shape[0] - 1.0, 0.0)) if extent is None else extent
    line = ArrayLine(series, ends, block=block, like=like)
    ax.add_line(line)
    if shown.shape[0]:
        ax.update_datalim([(x, 0) for x in ends], updatey=False)
        ax.autoscale_view(scaley=False)
        ax.figure.canvas.mpl_connect("close_event", line.close)
        line.load()
        line.fit()
    return line


def hist(
    array: Any,
    bins: int | Sequence[float] = 10,
    range: tuple[float, float] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> tuple[Any, Any, Any]:
    """Draw a histogram of an array of any size, which is read block by block.

    Parameters
    ----------
    array : Array or array_like
        The values.  Missing values are not counted.
    bins, range
        As for :func:`biggus.histogram`.
    ax : Axes, optional
        The axes to draw into; by default the current axes of pyplot.
    **kwargs
        As for :meth:`matplotlib.axes.Axes.hist`.

    Returns
    -------
    counts, edges : ndarray
        The counts, and the edges of the bins.
    patches : BarContainer
        The bars, as of :meth:`matplotlib.axes.Axes.hist`.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> from matplotlib.figure import Figure
    >>> counts, edges, bars = biggus.hist(np.arange(10), 2, ax=Figure().add_subplot())
    >>> counts
    array([5., 5.])
    """
    ax = _axes(ax)
    shown = array if isinstance(array, Array) else ArrayAdapter(array)
    counts, edges = ndarrays([*histogram(shown, bins, range)])
    return ax.hist(edges[:-1], edges.tolist(), weights=counts, **kwargs)


def _axes(ax: Axes | None) -> Axes:
    """Return the axes to draw into."""
    with needing("matplotlib", "viewer", "showing an array"):
        import matplotlib as mpl  # noqa: F401 - to check that it is installed
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.gca()
