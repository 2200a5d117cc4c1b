"""Missing-value markers of new arrays, which are final when all values have been seen."""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.errors import OutputError
from biggus.sinks.blocks import WriterWrapper
from biggus.sinks.unused_values import Unseen, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.sinks.new import NewArray, Target
    from biggus.sources.base import Box, Values


class Marked(WriterWrapper):
    """A writer to a new array whose store records a missing-value marker.

    Missing values are written as the marker that the array is created with.  If a value in a
    block equals the marker, missing values of this and later blocks are written as another
    marker.  At the end a marker that equals no value is chosen, and blocks that were written
    with a different one are written again.  So no source is read twice; and blocks are written
    twice only if a value equals the first marker.

    Parameters
    ----------
    target : Target
        The target of the values.
    new : NewArray
        The new array.
    """

    def __init__(self, target: Target, new: NewArray) -> None:
        super().__init__(target)
        self._target = target
        self._new = new
        # Times are compared as integers, NaT among them.
        self._numbers = new.dtype
        if new.dtype.kind in "mM":
            self._numbers = np.dtype(f"{new.dtype.byteorder}i8")
        first = new.implied if new.marker is None else new.marker
        self._first = self._current = np.asarray(first, new.dtype).view(self._numbers)[()]
        self._blocks = _Blocks(len(new.shape))
        self._in_the_way = False
        self._lock = threading.Lock()

    def write(self, box: Box, values: Values) -> None:
        """Write a block.

        Raises
        ------
        OutputError
            If no marker is left.
        """
        stored = np.ma.getdata(values).astype(self._new.dtype, copy=False)
        mask = np.ma.getmask(values)
        numbers, missing = stored.view(self._numbers), bool(np.any(mask))
        with self._lock:
            marker = self._current
        hit = self._is_value(numbers, mask, marker)
        touched = hit if marker is self._first else self._is_value(numbers, mask, self._first)
        if hit:
            marker = self._another(numbers[~mask])
        if missing:
            numbers = numbers.copy()
            numbers[mask] = marker
        with self._lock:
            self._in_the_way |= hit
            if hit:
                self._current = marker
            self._blocks.add(box, marker if missing else None, touched)
        self._target.write(box, numbers.view(self._new.dtype))

    def finish(self) -> None:
        """Choose the final marker, if a value equals the first one, and record it in the store.

        Raises
        ------
        OutputError
            If no marker is left.
        """
        if not self._in_the_way:
            return
        unseen = Unseen(self._numbers, [self._current])
        for box, marker, _ in self._blocks:
            values = self._read(box)
            unseen.see(values if marker is None else values[~same(values, marker)])
        final = self._one_of(unseen)
        self._target.mark(np.asarray(final, self._numbers).view(self._new.dtype)[()])
        for box, marker, touched in self._blocks:
            outdated = marker is not None and not same(np.asarray(marker), final)
            if outdated or (touched and self._target.sparse):
                values = self._read(box)
                if marker is not None:
                    values[same(values, marker)] = final
                self._target.write(box, values.view(self._new.dtype))

    def _is_value(self, numbers: npt.NDArray[Any], mask: Any, marker: Any) -> bool:
        return bool(np.any(same(numbers, marker) & ~mask))

    def _another(self, values: npt.NDArray[Any]) -> Any:
        unseen = Unseen(self._numbers, [])
        unseen.see(values)
        return self._one_of(unseen)

    def _one_of(self, unseen: Unseen) -> Any:
        marker = unseen.any()
        if marker is None:
            instead = ""
            if self._new.marker is None:
                instead = f" instead of {self._first}, which readers of the format take for one"
            raise OutputError(
                f"every value of dtype {self._new.dtype} is in use, and none is left to mark "
                f"missing ones{instead}; cast the array to a wider dtype, with .astype or "
                "biggus save --dtype"
            )
        return marker

    def _read(self, box: Box) -> npt.NDArray[Any]:
        # Scalars come in the byte order of this machine.
        return self._target.read(box).astype(self._new.dtype, copy=False).view(self._numbers)


class _Blocks:
    """The blocks that were written, each with its marker and whether it contains the first marker.

    They are stored compactly, for there may be millions.
    """

    def __init__(self, ndim: int) -> None:
        self._ndim = ndim
        self._bounds = array("q")
        self._notes = array("q")
        self._markers: dict[bytes, Any] = {}

    def add(self, box: Box, marker: Any, touched: bool) -> None:
        for s in box:
            self._bounds.extend((s.start, s.stop))
        number = 0  # no marker
        if marker is not None:
            self._markers.setdefault(marker.tobytes(), marker)
            number = 1 + list(self._markers).index(marker.tobytes())
        self._notes.append(2 * number + touched)

    def __iter__(self) -> Iterator[tuple[Box, Any, bool]]:
        markers = [None, *self._markers.values()]
        for block, note in enumerate(self._notes):
            first = 2 * self._ndim * block
            bounds = self._bounds[first : first + 2 * self._ndim]
            pairs = zip(bounds[::2], bounds[1::2], strict=True)
            box = tuple([slice(start, stop, 1) for start, stop in pairs])
            yield box, markers[note // 2], bool(note % 2)
