"""`imshow`: an array or a pyramid in a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.errors import MissingDependencyError
from biggus.options import parse_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from biggus.viewer.artist import ArrayImage

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
        columns, 3 or 4), or with further axes before these: see `index`.
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
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingDependencyError("matplotlib", "viewer", "showing an array") from None
    from biggus.viewer.artist import ArrayImage

    current = ax is None
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.gca()
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
    if aspect is None and not (
        image.is_transform_set() and not image.get_transform().contains_branch(ax.transData)
    ):
        aspect = mpl.rcParams["image.aspect"]
    if aspect is not None:
        ax.set_aspect(aspect)
    image.set_alpha(alpha)
    if image.get_clip_path() is None:
        image.set_clip_path(ax.patch)
    if vmin is not None or vmax is not None:
        if isinstance(norm, mpl.colors.Normalize):
            raise ValueError("give a norm, or vmin= and vmax=: not both")
        image.set_clim(vmin, vmax)
    image.set_extent(image.get_extent())
    ax.add_image(image)
    image.note = ax.text(1, 0, "", transform=ax.transAxes, **_NOTE)
    ax.figure.canvas.mpl_connect("close_event", image.close)
    if current:
        plt.sci(image)
    return image
