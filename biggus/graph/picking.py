"""Picking: index arrays take a few values from a source that is contiguous in a file.

Reading the whole box around them would take much more memory.  Instead, runs of values are read
into a small buffer, which stays in the cache of a core, and the wanted values are copied from it.
Runs are short where the file is in the page cache of the system, and long where it is not.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.codecs.scratch import scratch
from biggus.indexing.grid import strides_of
from biggus.indexing.selection import ArrayMap, ConstantMap, DimensionMap, dims_of, spread_over
from biggus.sources.base import Box, Source, box_shape, call, whole
from biggus.sources.scattered import OF_FILE
from biggus.sources.stream import AnyOrderStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from biggus.indexing.selection import AxisMap, Positions, Selection

_ROOM = 2**20
"""The size of the buffer, in bytes."""

_RUN_BYTES = 2**17
"""The most bytes of a run; longer runs are cut."""

_NEAR = 2**13
"""The most bytes of a gap that is read: that costs less than another system call."""

_EACH = 48
"""The bytes that the position and the order of each value take."""


def picked(source: Source, box: Box, selection: Selection) -> npt.NDArray[Any] | None:
    """Return selected values of a box, picked from runs.

    Parameters
    ----------
    source : Source
    box : tuple of slice
        The smallest box that holds the selected values.
    selection : Selection
        The selection of the values in the box; not empty.

    Returns
    -------
    ndarray
        A fresh array of the selection's shape.
    None
        If reading the box is better: there are no index arrays, or many of its values are
        selected, or the source cannot read runs in any order.  Nothing has been read then.

    Raises
    ------
    SourceError
        If a read fails.
    """
    itemsize = source.dtype.itemsize
    takes = math.prod(selection.shape) * (_EACH + itemsize)
    if takes > math.prod(box_shape(box)) * itemsize or source.masked or not source.streams:
        return None
    if source.lock is not None or not any(type(m) is ArrayMap for m in selection.maps):
        return None
    if len(selection.named_dims()) < len(selection.shape):
        return None
    stream = call(source, box, source.stream, whole(source.shape))
    if not isinstance(stream, AnyOrderStream):
        return None
    stream.box = box  # named by errors
    strips = _strips(selection, box, source)
    order = None
    if (strips.starts[1:] < strips.starts[:-1]).any():
        order = np.argsort(strips.starts)
        strips = strips.part(order)
    values = np.empty((len(strips.starts), len(strips.places)), source.dtype)
    done = _pick_at_hand(stream, strips, values)
    if done < len(values):
        _pick(stream, strips.part(slice(done, None)), values[done:])
    if order is not None:
        values[order] = values.copy()
    dims = (*strips.outer, *strips.inner)
    return values.reshape([selection.shape[dim] for dim in dims]).transpose(np.argsort(dims))


class _Strips(NamedTuple):
    """The flat positions of the values: strips, each with values at the same places."""

    starts: Positions
    """The flat position where each strip starts."""

    places: Positions
    """The places of the values in a strip; the least is 0."""

    length: int
    """The length of a strip."""

    outer: Sequence[int]
    """The dims that number the strips."""

    inner: Sequence[int]
    """The dims that number the values in a strip."""

    def part(self, which: Any) -> _Strips:
        return self._replace(starts=self.starts[which])

    def cuts(self, far: int, itemsize: int) -> Positions:
        """Return the numbers of the strips that begin a run, and the number of strips.

        Runs are more than `far` bytes apart, unless a run would become too long.
        """
        gaps = np.diff(self.starts)
        begins_run = gaps > far // itemsize + self.length
        most = max(1, _RUN_BYTES // itemsize)
        windows = (self.starts - self.starts[0]) // most
        begins_run |= windows[1:] != windows[:-1]
        return np.concatenate([[0], np.flatnonzero(begins_run) + 1, [len(self.starts)]])


def _strips(selection: Selection, box: Box, source: Source) -> _Strips:
    """Return the positions of selected values; those near one another are in one strip."""
    shape, itemsize = selection.shape, source.dtype.itemsize
    strides = strides_of(source.shape)
    offsets = [
        _offsets(m, s, stride, shape)
        for m, s, stride in zip(selection.maps, box, strides, strict=True)
    ]
    places, first, inner = np.zeros(1, np.intp), len(box), set[int]()
    extent, dims = 0, set[int]()
    for axis in range(len(box) - 1, -1, -1):
        extent += int(np.max(offsets[axis]) - np.min(offsets[axis])) * itemsize
        if extent > _RUN_BYTES:
            break
        dims.update(dims_of(selection.maps[axis]))
        if any(dims.intersection(dims_of(m)) for m in selection.maps[:axis]):
            continue  # tied to an axis before
        wider = _sum(offsets[axis:], shape, dims)
        if (np.diff(np.sort(wider)) * itemsize > _NEAR).any():
            break
        places, first, inner = wider, axis, dims.copy()
    outer = set(range(len(shape))) - inner
    starts = _sum(offsets[:first], shape, outer)
    least = places.min()
    places = places - least
    return _Strips(starts + least, places, int(places.max()) + 1, sorted(outer), sorted(inner))


def _offsets(m: AxisMap, s: slice, stride: int, shape: tuple[int, ...]) -> Any:
    """Return the flat offset of each position along an axis, as an array over all dims."""
    if type(m) is ConstantMap:
        return (s.start + s.step * m.index) * stride
    if type(m) is DimensionMap:
        line = (m.start + m.step * np.arange(shape[m.dim])) * s.step + s.start
        return (line * stride).reshape([-1 if dim == m.dim else 1 for dim in range(len(shape))])
    assert type(m) is ArrayMap
    return spread_over((s.start + s.step * m.index) * stride, m.dims, range(len(shape)))


def _sum(offsets: Iterable[Any], shape: tuple[int, ...], dims: set[int]) -> Positions:
    """Return the sums of offsets over some dims, flat."""
    total = sum(offsets, np.zeros((1,) * len(shape), np.intp))
    lengths = [n if dim in dims else 1 for dim, n in enumerate(shape)]
    return np.broadcast_to(total, lengths).reshape(-1)


def _pick(stream: AnyOrderStream, strips: _Strips, values: npt.NDArray[Any]) -> None:
    """Read long runs, and pick the values from each."""
    itemsize = values.itemsize
    room = _room(itemsize)
    starts = strips.starts
    for low, high in itertools.pairwise(strips.cuts(OF_FILE.seek, itemsize).tolist()):
        first = int(starts[low])
        count = int(starts[high - 1]) - first + strips.length
        run = room[: count * itemsize].view(values.dtype)
        stream.read_into(first, run)
        _take(run, starts[low:high] - first, strips, values[low:high])


def _pick_at_hand(stream: AnyOrderStream, strips: _Strips, values: npt.NDArray[Any]) -> int:
    """Pick from short runs until a read would wait; return the number of strips that are done."""
    itemsize = values.itemsize
    room = _room(itemsize)
    cuts = strips.cuts(_NEAR, itemsize)
    firsts = strips.starts[cuts[:-1]]
    counts = strips.starts[cuts[1:] - 1] - firsts + strips.length
    ends = np.cumsum(counts)
    begins = ends - counts
    # The starts of the strips in a concatenation of all runs.
    moved = strips.starts + np.repeat(begins - firsts, np.diff(cuts))
    full = ends * itemsize // (_ROOM - 2 * _RUN_BYTES)
    parts = np.flatnonzero(full[1:] != full[:-1]) + 1
    for start, stop in itertools.pairwise([0, *parts.tolist(), len(firsts)]):
        before = begins[start]
        runs = room[: int(ends[stop - 1] - before) * itemsize].view(values.dtype)
        low, high = int(cuts[start]), int(cuts[stop])
        if not stream.read_at_hand(firsts[start:stop], counts[start:stop], runs):
            return low
        _take(runs, moved[low:high] - before, strips, values[low:high])
    return len(values)


def _take(
    run: npt.NDArray[Any], starts: Positions, strips: _Strips, values: npt.NDArray[Any]
) -> None:
    where = starts[:, None] + strips.places
    # No index is out of bounds; mode="clip" saves NumPy a copy.
    np.take(run, where, out=values, mode="clip")


def _room(itemsize: int) -> npt.NDArray[np.uint8]:
    return scratch("picking", _ROOM + 2 * itemsize)
