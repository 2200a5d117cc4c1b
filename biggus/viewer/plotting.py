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
"""How much is read for a view that would need more, by default."""

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
    """Show an image of any size, of which only what is on the screen is read.

    As :meth:`matplotlib.axes.Axes.imshow`, with its defaults; the image is read as it is
    drawn, by other threads, and drawn again as it comes.  A figure that is saved, or has no
    window, is complete when it is drawn.

    Of a pyramid, the coarsest level that fills the pixels is read.  Of an array that has no
    coarser levels, every n-th row and column is shown where there are more than two a pixel;
    the figure says so.

    Parameters
    ----------
    shown : Array or Pyramid
        Or anything that :class:`ArrayAdapter` takes.  Of shape (rows, columns), (rows,
        columns, 1, 3 or 4), or with further axes before these: see `index`.
    ax : Axes, optional
        Where; the current axes of pyplot if not given.
    levels : sequence of Array, optional
        The same image at coarser resolutions, the finer ones first.
    index : int or tuple of int, optional
        What is shown along the axes that are not rows, columns or colours;
        ``set_index`` changes it.
    block : bool, optional
        Whether all drawing waits until it is complete, in a window too.
    sample_bytes : int or str, optional
        How much may be read for a view of which not all is shown.
    cmap, norm, aspect, interpolation, alpha, vmin, vmax, origin, extent, resample, **kwargs
        As for :meth:`matplotlib.axes.Axes.imshow`.  Without limits or a norm that has
        them, colours go from the least to the greatest value of the coarsest level, if
        that is no more than 512 by 512; else of the first view.  They are kept from then on.

    Returns
    -------
    ArrayImage
        An :class:`matplotlib.image.AxesImage`.

    Notes
    -----
    ``ax.imshow(array)`` works as well, and reads all of the array at once; one that is
    larger than the ``memory`` option is refused.

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
    """Set the aspect of axes as matplotlib's own `imshow` does."""
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
    """Set the values between which colours go."""
    import matplotlib as mpl

    if vmin is not None or vmax is not None:
        if isinstance(norm, mpl.colors.Normalize):
            raise ValueError("give a norm, or vmin= and vmax=: not both")
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
    """Draw a line through a series of any length, read at the resolution of the screen.

    Where there are more values than pixels, the line goes from the least to the greatest
    of each few, which are found as they are read; it is read again when the axes change.

    Parameters
    ----------
    array : Array
        Or anything that :class:`ArrayAdapter` takes; of one axis.
    ax : Axes, optional
        Where; the current axes of pyplot if not given.
    extent : (float, float), optional
        Where the first and the last value are; the numbers of the values if not given.
    block : bool, optional
        Whether all drawing waits until it is complete, in a window too.
    sample_bytes : int or str, optional
        How much may be read for a view.  If it needs more, one piece of several is looked
        at, which ``sampled`` of the line tells.
    **kwargs
        As for :meth:`matplotlib.axes.Axes.plot`.

    Returns
    -------
    ArrayLine
        A :class:`matplotlib.lines.Line2D`.

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
    (like,) = ax.plot([], [], **kwargs)  # takes its turn of the colours
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
    """Draw a histogram of an array, which is gone through a block at a time.

    Parameters
    ----------
    array : Array
        Or anything that :class:`ArrayAdapter` takes.  Missing values are not counted.
    bins, range
        As for :func:`biggus.histogram`.
    ax : Axes, optional
        Where; the current axes of pyplot if not given.
    **kwargs
        As for :meth:`matplotlib.axes.Axes.hist`.

    Returns
    -------
    counts, edges, patches
        As of :meth:`matplotlib.axes.Axes.hist`.

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
    """Return where to draw."""
    with needing("matplotlib", "viewer", "showing an array"):
        import matplotlib as mpl  # noqa: F401 - whether it is there
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.gca()
