"""Series at the resolution of the screen: the least and the greatest value of each few.

A series is cut into pieces, whole chunks of about `PIECE` values.  Of a piece, the extremes of its
blocks of `step` values are kept, a power of two; for blocks of one value, these are the values.
Extremes of longer blocks are computed from those of shorter ones.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.indexing.grid import edges_of
from biggus.viewer.cutting import longest_piece, pieces_of
from biggus.viewer.tiles import PATIENCE_SECONDS, Tiles

if TYPE_CHECKING:
    from biggus.array import Array

PIECE = 2**16
"""The number of values in a piece, unless chunks are longer."""

CROWDED = 4
"""The most values for each pixel that are all drawn; of more, only the extremes are."""


class Extremes(NamedTuple):
    """The key of the extremes of a piece."""

    step: int
    piece: int


class Series:
    """A one-dimensional array, and the parts of it that have been read.

    Parameters
    ----------
    array : Array
        The series, of one axis, of real numbers.
    sample_bytes : int
        The most bytes to read for a view with more values than pixels.

    Attributes
    ----------
    sampled : str or None
        The fraction of pieces that was read for the last view, as text; None if all.
    """

    def __init__(self, array: Array, sample_bytes: int) -> None:
        if array.ndim != 1:
            raise TypeError(f"a series has one axis: not the shape {array.shape}")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"a series is of real numbers, not of {array.dtype}")
        self.array = array
        self.tiles: Tiles[Extremes] = Tiles()
        self.sampled: str | None = None
        self._sample_bytes = sample_bytes
        chunks = None if array.grid is None else edges_of(array.shape[0], array.grid[0])
        self._pieces = pieces_of(array.shape[0], chunks, longest_piece(chunks, PIECE))
        self._needed: list[Extremes] = []
        self._range: tuple[int, int, float] | None = None

    def ask(self, start: int, stop: int, pixels: float, *, alone: bool) -> list[Extremes]:
        """Start to read the values from `start` to `stop`, at the resolution of some pixels.

        Parameters
        ----------
        start, stop : int
            The range of values on the screen.
        pixels : float
            The width of the range on the screen.
        alone : bool
            Whether to keep reading pieces that other views need.

        Returns
        -------
        list of Extremes
            The keys of the extremes that the view needs.
        """
        if (start, stop, pixels) != self._range:
            self.tiles.failed.clear()  # they are read again
            self._range = (start, stop, pixels)
        step = _step((stop - start) / max(pixels, 1.0))
        first, last = self._pieces.find(start), self._pieces.find(stop - 1)
        every = 1 if step == 1 else self._every(first, last)
        self.sampled = None if every == 1 else f"sampled 1 in {every:,}"
        self._needed = [Extremes(step, piece) for piece in range(first, last + 1, every)]
        if not alone:
            self.tiles.cancel(but=set(self._needed))
        for key in self._needed:
            if self._finer(key) is None:
                begin, end = self._pieces.bounds(key.piece)
                self.tiles.ask(key, partial(_read, self.array[begin:end], step))
        return self._needed

    def _every(self, first: int, last: int) -> int:
        """Return every how many pieces one can be read within the limit of bytes."""
        longest = max(stop - start for start, stop in map(self._pieces.bounds, (first, last)))
        nbytes = (last + 1 - first) * longest * self.array.itemsize
        return -(-nbytes // self._sample_bytes)

    def wait(self, *, complete: bool) -> None:
        """Wait for the pieces that are being read: for all, or for a short time."""
        self.tiles.wait(self._needed, None if complete else PATIENCE_SECONDS)
        self.collect()

    def collect(self) -> bool:
        """Collect the pieces that have been read; tell whether there are any."""
        return self.tiles.collect(set(self._needed))

    @property
    def errors(self) -> list[Exception]:
        """The errors of pieces of the last view."""
        return [self.tiles.failed[key] for key in self._needed if key in self.tiles.failed]

    def line(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return positions and values of a line through the last view."""
        if not self._needed or self._range is None:
            return np.empty(0), np.empty(0)
        xs, ys = [], []
        for key in self._needed:
            extremes = self._finer(key) or self._coarser(key)
            start, stop = self._pieces.bounds(key.piece)
            if extremes is None or key in self.tiles.failed:
                xs.append(np.array([(start + stop - 1) / 2]))
                ys.append(np.array([np.nan]))  # a gap
                continue
            x, y = _drawn(self.tiles[extremes], start, stop, extremes.step, key.step)
            xs.append(x)
            ys.append(y)
        positions, values = np.concatenate(xs), np.concatenate(ys)
        step = self._needed[0].step
        seen = slice(*np.searchsorted(positions, (self._range[0] - step, self._range[1] + step)))
        return positions[seen], values[seen]

    def _finer(self, key: Extremes) -> Extremes | None:
        """Return the key of known extremes of a piece, of blocks as long or shorter; or None."""
        step = key.step
        while step:
            finer = Extremes(step, key.piece)
            if finer in self.tiles:
                return finer
            step //= 2
        return None

    def _coarser(self, key: Extremes) -> Extremes | None:
        here = (extremes for extremes in self.tiles if extremes.piece == key.piece)
        return min(here, default=None)


def _step(values: float) -> int:
    """Return the length of blocks for some number of values per pixel: at most half of it."""
    return 1 << max(0, int(values / 2).bit_length() - 1) if values > CROWDED else 1


def _read(array: Array, step: int) -> npt.NDArray[Any]:
    """Return the least and the greatest value of each block; blocks of one value have it twice."""
    values = (
        np.ma.filled(array.masked_array().astype(float), np.nan)
        if array.masked
        else array.ndarray()
    )
    return _blocks(np.stack([values, values]), step)


def _blocks(extremes: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Return the extremes of every `count` blocks; NaN if all are missing."""
    if count == 1:
        return extremes
    starts = np.arange(0, extremes.shape[1], count)
    least = np.fmin.reduceat(extremes[0], starts, dtype=extremes.dtype)
    return np.stack([least, np.fmax.reduceat(extremes[1], starts, dtype=extremes.dtype)])


def _drawn(
    extremes: npt.NDArray[Any], start: int, stop: int, step: int, wanted: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return a line through the extremes of blocks of a piece."""
    extremes = _blocks(extremes, max(1, wanted // step))
    step = max(step, wanted)
    if step == 1:
        return np.arange(start, stop, dtype=float), extremes[0]
    begins = np.arange(start, stop, step)
    middles = (begins + np.minimum(begins + step, stop) - 1) / 2
    return np.repeat(middles, 2), extremes.T.reshape(-1)


def extent_of(values: Any) -> tuple[float, float] | None:
    """Return the least and the greatest finite value, or None if there is none."""
    finite = np.asarray(values)[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None
