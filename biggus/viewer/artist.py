"""The artist: an `AxesImage` that reads what it draws."""

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
from biggus.viewer.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.text import Text

    from biggus.sources.base import Values
    from biggus.viewer.choosing import ScreenView
    from biggus.viewer.frames import Frame

_FARTHEST = 3
"""Elements that an interpolation reaches out to, but for those whose reach is an option."""

_FAR = {"sinc", "lanczos", "blackman"}


class _Drawn(AxesImage):
    """A part of an image, which is not in the axes itself: what matplotlib draws."""

    part: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)

    def get_extent(self) -> tuple[float, float, float, float]:
        """Return where the part is."""
        return self.part

    def set_data(self, A: Any) -> None:  # noqa: N803 - matplotlib's name
        """Take other values; colours need no mask, which costs an eighth of a frame."""
        super().set_data(A)
        values: Any = self.get_array()
        if np.ndim(values) == 3 and not np.ma.is_masked(values):
            self._A = np.ma.getdata(values)


class ArrayImage(AxesImage):
    """An image of which only what is on the screen is read; made by :func:`biggus.imshow`.

    Attributes
    ----------
    errors : list of Exception
        Why parts of the last view, which are shown as missing, could not be read.
    sampled : str or None
        What part of the elements the last view shows, if not all.
    note : Text or None
        Where the figure says so, and whose the image is.
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
        self._drawn.set_data(_placeholder(self._scene.picture))  # refuses what cannot be shown
        self._limits = Limits(self.norm)

    # What it is of

    @property
    def errors(self) -> list[Exception]:
        """Why parts of the last view could not be read."""
        return self._scene.errors

    @property
    def sampled(self) -> str | None:
        """What part of the elements the last view shows, if not all."""
        return self._scene.sampled

    @property
    def index(self) -> tuple[int, ...]:
        """What is shown along the axes that are not rows, columns or colours."""
        return self._scene.index

    def set_index(self, index: int | tuple[int, ...]) -> None:
        """Show another place along the axes that are not rows, columns or colours.

        Raises
        ------
        IndexError
            If it is out of bounds.
        """
        self._scene.index = self._scene.picture.normal_index(index)
        self.stale = True

    def set_data(self, A: Any) -> None:  # noqa: N803 - matplotlib's name
        """Show another array, or pyramid, with the same limits of colours once they are known."""
        self._scene.clear()
        picture = Picture(A)
        self._drawn.set_data(_placeholder(picture))
        self._scene = _scene(picture, 0, self._sample_bytes)
        self._limits.begin_again()
        self._frame = None
        self.stale = True

    def get_shape(self) -> Any:
        """Return the shape of the whole image at its finest."""
        return self._scene.picture.shape

    def get_size(self) -> tuple[int, int]:
        """Return the rows and columns of the whole image at its finest."""
        rows, columns = self.get_shape()[:2]
        return rows, columns

    def get_array(self) -> Any:
        """Return what was drawn last: the elements of the view that were there."""
        return self._drawn.get_array()

    def set_alpha(self, alpha: Any) -> None:
        """Set how opaque it is: one number for all of it."""
        if alpha is not None and np.ndim(alpha):
            raise TypeError("the alpha of an image that is read as it is drawn is one number")
        super().set_alpha(alpha)

    def write_png(self, fname: Any) -> None:
        """Write what was drawn last, an element a pixel."""
        self._drawn.write_png(fname)

    def get_cursor_data(self, event: Any) -> Any:
        """Return the value under the cursor, of the finest level that is here; or None."""
        x, y = self.get_transform().inverted().transform([event.x, event.y])
        row, column = self._placement.elements(x, y)
        rows, columns = self.get_size()
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        return self._scene.value_at(row, column)

    # Limits of colours

    def autoscale(self) -> None:
        """Have the limits of colours follow from what is seen now."""
        self._limits = Limits(self.norm, anew=True)
        self._find_limits()

    def autoscale_None(self) -> None:  # noqa: N802 - matplotlib's name
        """Find the limits of colours that are not set: what tells them is read, and waited for."""
        if not self.norm.scaled():
            self._find_limits()

    def get_clim(self) -> Any:
        """Return the limits of colours, having found them if they are not known yet."""
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
        """Return the pixels of what is here of the view, and ask for the rest."""
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
        tell = not (scene.picture.coloured or self._limits.settled)
        frame = scene.show(view, self._reach(), tell=tell, complete=complete, alone=alone)
        if tell:
            self._limits.look(scene.telling, scene.tiles)
        self._say(scene.errors)
        return frame

    def _say(self, errors: list[Exception]) -> None:
        if self.note is not None:
            parts = (self.sampled, self._scene.picture.pyramid.attribution)
            self.note.set_text(", ".join(filter(None, parts)))
        self._redrawing.warn("the image are shown as missing", errors)

    def _prepared(self, frame: Frame) -> _Drawn:
        """Return the image that matplotlib is to draw for a frame."""
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
        # The last of a coarser level may reach beyond the end of the finest.
        drawn.set_clip_on(True)
        drawn.set_clip_box(self._screen())
        return drawn

    @property
    def _canvas(self) -> FigureCanvasBase:
        return self.axes.figure.figure.canvas  # of the root, if that is a part of one

    @property
    def _placement(self) -> Placement:
        return Placement(self.get_size(), self.get_extent(), self.origin, self.get_transform())

    def _screen(self) -> Any:
        """Return where on the screen it can be seen, or None if nowhere."""
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
        """Return how many elements beyond the edges are to be drawn with."""
        far = self.get_interpolation() in _FAR
        return 2 * math.ceil(max(self.get_filterrad() if far else 0, _FARTHEST)) + 1

    # Coming and going

    def arrived(self) -> bool:
        """Take what has been read; tell whether there is anything to be drawn."""
        return self._scene.arrived()

    @property
    def waiting(self) -> bool:
        """Whether anything is still being read."""
        return self._scene.waiting

    def close(self, event: Any = None) -> None:  # noqa: ARG002 - matplotlib's callbacks have one
        """Have nothing read any more, and forget what was."""
        self._redrawing.stop()
        self._scene.clear()
        self._frame = None

    def remove(self) -> None:
        """Take it out of the axes."""
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
