"""`ArrayImage`: an artist of matplotlib that reads the part of an image that it draws."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox, TransformedBbox

from biggus.viewer.geometry import Placement
from biggus.viewer.limits import Limits
from biggus.viewer.picture import Picture
from biggus.viewer.redrawing import Redrawing
from biggus.viewer.scene import Frame, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.text import Text

    from biggus.sources.base import Values
    from biggus.viewer.layer_choice import ScreenView

_FARTHEST = 3
"""The number of neighbouring elements that interpolations use, unless it is an option."""

_FAR = {"sinc", "lanczos", "blackman"}


class _Drawn(AxesImage):
    """The part of an image that matplotlib draws; it is not in the axes itself."""

    part: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)

    def get_extent(self) -> tuple[float, float, float, float]:
        """Return the extent of the part."""
        return self.part

    def set_data(self, A: Any) -> None:  # noqa: N803 - matplotlib's name
        """Set the values; an unnecessary mask of colours is dropped, for speed."""
        super().set_data(A)
        values: Any = self.get_array()
        if np.ndim(values) == 3 and not np.ma.is_masked(values):
            data = np.ma.getdata(values)
            # matplotlib 3.9.0 knows a dtype by its identity alone.
            self._A = data.view(np.dtype(data.dtype.type))


class ArrayImage(AxesImage):
    """An image that reads only the part on the screen; made by :func:`biggus.imshow`.

    Attributes
    ----------
    errors : list of Exception
        The errors of parts of the last view, which are shown as missing.
    sampled : str or None
        The fraction of elements that the last view shows, as text; None if all.
    note : Text or None
        The text in the figure that shows `sampled` and the attribution of the image.
    """

    def __init__(
        self,
        ax: Axes,
        shown: Any,
        *,
        levels: Sequence[Any] | None,
        index: int | tuple[int, ...],
        block: bool,
        sample_bytes: int,
        **kwargs: Any,
    ) -> None:
        self.note: Text | None = None
        self._block = block
        self._sample_bytes = sample_bytes
        self._frame: Frame | None = None
        self._redrawing = Redrawing(self)
        self._scene = _scene(Picture(shown, levels), index, sample_bytes)
        super().__init__(ax, **kwargs)
        self._drawn = _Drawn(ax, origin=self.origin)
        self._drawn.set_data(_placeholder(self._scene.picture))  # raises if it cannot be shown
        self._limits = Limits(self.norm)

    # The image

    @property
    def errors(self) -> list[Exception]:
        """The errors of parts of the last view, which are shown as missing."""
        return self._scene.errors

    @property
    def sampled(self) -> str | None:
        """The fraction of elements that the last view shows, as text; None if all."""
        return self._scene.sampled

    @property
    def index(self) -> tuple[int, ...]:
        """The index along axes other than rows, columns and colours."""
        return self._scene.index

    def set_index(self, index: int | tuple[int, ...]) -> None:
        """Set the index along axes other than rows, columns and colours.

        Parameters
        ----------
        index : int or tuple of int
            The index, one number for each axis.

        Raises
        ------
        IndexError
            If the index is out of bounds.
        """
        self._scene.index = self._scene.picture.normal_index(index)
        self.stale = True

    def set_data(self, A: Any) -> None:  # noqa: N803 - matplotlib's name
        """Show another array or pyramid, with the same colour limits if they are known."""
        self._scene.clear()
        picture = Picture(A)
        self._drawn.set_data(_placeholder(picture))
        self._scene = _scene(picture, 0, self._sample_bytes)
        self._limits.begin_again()
        self._frame = None
        self.stale = True

    def get_shape(self) -> Any:
        """Return the shape of the whole image at its finest level."""
        return self._scene.picture.shape

    def get_size(self) -> tuple[int, int]:
        """Return the number of rows and columns of the whole image at its finest level."""
        rows, columns = self.get_shape()[:2]
        return rows, columns

    def get_array(self) -> Any:
        """Return the values that were drawn last."""
        return self._drawn.get_array()

    def set_alpha(self, alpha: Any) -> None:
        """Set the opacity, one number for the whole image."""
        if alpha is not None and np.ndim(alpha):
            raise TypeError("the alpha of an ArrayImage must be one number")
        super().set_alpha(alpha)

    def write_png(self, fname: Any) -> None:
        """Write the values that were drawn last to a PNG file, one element per pixel."""
        self._drawn.write_png(fname)

    def get_cursor_data(self, event: Any) -> Any:
        """Return the value under the cursor, from the finest level in memory; or None."""
        x, y = self.get_transform().inverted().transform([event.x, event.y])
        row, column = self._placement.elements(x, y)
        rows, columns = self.get_size()
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        return self._scene.value_at(row, column)

    # Colour limits

    def autoscale(self) -> None:
        """Set the colour limits from the values in the current view."""
        self._limits = Limits(self.norm, fresh=True)
        self._find_limits()

    def autoscale_None(self) -> None:  # noqa: N802 - matplotlib's name
        """Set colour limits that are not set yet, reading the values that determine them."""
        if not self.norm.scaled():
            self._find_limits()

    def get_clim(self) -> Any:
        """Return the colour limits, and determine them first if they are not set."""
        self.autoscale_None()
        return self.norm.vmin, self.norm.vmax

    def _find_limits(self) -> None:
        view = None if self._scene.picture.coloured else self._view(1.0)
        if view is not None:
            self._show(view, complete=True, alone=True)

    # Drawing

    def make_image(
        self, renderer: Any, magnification: float = 1.0, unsampled: bool = False
    ) -> tuple[Any, float, float, Any]:
        """Return the pixels of the view, and start to read the parts that are missing."""
        view = self._view(renderer.get_image_magnification() if unsampled else magnification)
        if view is None:
            return None, 0, 0, None
        canvas = self._canvas
        complete = self._block or not self._redrawing.begin(canvas)
        frame = self._show(view, complete=complete, alone=canvas.is_saving())
        drawn = self._prepared(frame)
        if not frame.known or not (self._scene.picture.coloured or self.norm.scaled() or complete):
            return None, 0, 0, None
        return drawn.make_image(renderer, magnification, unsampled)

    def _show(self, view: ScreenView, *, complete: bool, alone: bool) -> Frame:
        limits = self._limits
        if limits.norm is not self.norm or (limits.settled and not self.norm.scaled()):
            self._limits = Limits(self.norm)
        scene = self._scene
        for_limits = not (scene.picture.coloured or self._limits.settled)
        frame = scene.show(
            view, self._reach(), for_limits=for_limits, complete=complete, alone=alone
        )
        if for_limits:
            self._limits.look(scene.limit_tiles, scene.tiles)
        self._say(scene.errors)
        return frame

    def _say(self, errors: list[Exception]) -> None:
        if self.note is not None:
            parts = (self.sampled, self._scene.picture.pyramid.attribution)
            self.note.set_text(", ".join(filter(None, parts)))
        self._redrawing.warn("the image are shown as missing", errors)

    def _prepared(self, frame: Frame) -> _Drawn:
        """Return the image that matplotlib draws for a frame."""
        drawn = self._drawn
        if frame is not self._frame:
            picture = self._scene.picture
            drawn.set_data(frame.values() if frame.known else _placeholder(picture))
            self._frame = frame
        drawn.part = self._placement.extent_of(frame.layer, frame.span)
        drawn.update_from(self)
        if drawn.norm is not self.norm:
            drawn.set_norm(self.norm)
        if drawn.cmap is not self.cmap:
            drawn.set_cmap(self.cmap)
        drawn.set_interpolation(self.get_interpolation())
        drawn.set_interpolation_stage(self.get_interpolation_stage())
        drawn.set_resample(self.get_resample())
        drawn.set_filternorm(self.get_filternorm())
        drawn.set_filterrad(self.get_filterrad())
        # The last element of a coarser level may extend beyond the end of the image.
        drawn.set_clip_on(True)
        drawn.set_clip_box(self._screen())
        return drawn

    @property
    def _canvas(self) -> FigureCanvasBase:
        return self.axes.figure.figure.canvas  # the canvas of the root figure

    @property
    def _placement(self) -> Placement:
        return Placement(self.get_size(), self.get_extent(), self.origin, self.get_transform())

    def _screen(self) -> Any:
        """Return the visible part of the image on the screen, or None."""
        clip = self._canvas.figure.bbox
        if self.get_clip_on():
            clip = self.get_clip_box() or self.axes.bbox
        transform = self.get_transform()
        if not (transform.is_affine and transform.is_separable):
            return clip
        left, right, bottom, top = self.get_extent()
        whole = TransformedBbox(Bbox([[left, bottom], [right, top]]), transform)
        return Bbox.intersection(clip, whole)

    def _view(self, magnification: float) -> ScreenView | None:
        screen = self._screen()
        if screen is None or 0 in self.get_size():
            return None
        return self._placement.view(screen, magnification)

    def _reach(self) -> int:
        """Return the number of elements beyond the edges that interpolation needs."""
        far = self.get_interpolation() in _FAR
        return 2 * math.ceil(max(self.get_filterrad() if far else 0, _FARTHEST)) + 1

    # Redrawing

    def arrived(self) -> bool:
        """Collect what has been read; tell whether to redraw."""
        return self._scene.arrived()

    @property
    def waiting(self) -> bool:
        """Whether anything is still being read."""
        return self._scene.waiting

    def close(self, event: Any = None) -> None:  # noqa: ARG002 - matplotlib's callbacks have one
        """Stop reading, and drop what has been read."""
        self._redrawing.stop()
        self._scene.clear()
        self._frame = None

    def remove(self) -> None:
        """Remove the image from the axes."""
        self.close()
        if self.note is not None:
            self.note.remove()
            self.note = None
        super().remove()


def _scene(picture: Picture, index: Any, sample_bytes: int) -> Scene:
    numbers = picture.normal_index(index if picture.others or index else ())
    return Scene(picture, numbers, sample_bytes)


def _placeholder(picture: Picture) -> Values:
    values = np.zeros((1, 1, *picture.shape[2:]), picture.pyramid.dtype)
    return np.ma.MaskedArray(values, mask=True)
