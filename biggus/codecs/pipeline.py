"""Pipelines of codecs, which are undone in the reverse order of their application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from biggus.codecs import fletcher32
from biggus.codecs.deflate import inflate
from biggus.codecs.lzf import decode_lzf
from biggus.codecs.scratch import scratch
from biggus.codecs.shuffle import MERGED, unshuffle, unshuffle_part


class Stage(ABC):
    """One codec of a pipeline, with its settings."""

    copies: ClassVar[bool] = True
    """Whether decoded bytes are a copy; if not, they are a part of the encoded ones."""

    fills: ClassVar[bool] = False
    """Whether `undo` writes to `out`."""

    def stored_size(self, size: int | None) -> int | None:
        """Return the encoded size of `size` bytes; None if that depends on the bytes."""
        return None

    @abstractmethod
    def undo(self, data: Any, size: int | None, out: npt.NDArray[np.uint8] | None) -> Any:
        """Return decoded bytes.

        Parameters
        ----------
        data : buffer
            The encoded bytes.
        size : int or None
            The number of decoded bytes; None if it is unknown.
        out : ndarray of uint8 or None
            An array of `size` bytes that may be used for the result.

        Raises
        ------
        ValueError
            If `data` are damaged, or hold another number of bytes.
        """


class Deflate(Stage):
    """Deflate in a zlib stream."""

    def undo(self, data: Any, size: int | None, out: npt.NDArray[np.uint8] | None) -> Any:
        return inflate(data, _known(size))


class Lzf(Stage):
    """LZF, without a header."""

    fills: ClassVar[bool] = True

    def undo(self, data: Any, size: int | None, out: npt.NDArray[np.uint8] | None) -> Any:
        return decode_lzf(data, _known(size), out)


class Shuffle(Stage):
    """The byte shuffle.

    Parameters
    ----------
    width : int
        The number of bytes of an element.
    """

    fills: ClassVar[bool] = True

    def __init__(self, width: int) -> None:
        self.width = width

    def stored_size(self, size: int | None) -> int | None:
        return size

    def undo(self, data: Any, size: int | None, out: npt.NDArray[np.uint8] | None) -> Any:
        return unshuffle(data, self.width, np.empty(len(data), np.uint8) if out is None else out)


class Fletcher32(Stage):
    """A checksum after the data."""

    copies: ClassVar[bool] = False

    def stored_size(self, size: int | None) -> int | None:
        return None if size is None else size + fletcher32.BYTES

    def undo(self, data: Any, size: int | None, out: npt.NDArray[np.uint8] | None) -> Any:
        return fletcher32.verified(data)


def _known(size: int | None) -> int:
    if size is None:
        raise ValueError("two compressions in one pipeline are not supported")
    return size


def _undone(stage: Stage, data: Any, wanted: int | None, room: npt.NDArray[np.uint8] | None) -> Any:
    found = stage.undo(data, wanted, room)
    if wanted is not None and len(found) != wanted:
        raise ValueError(f"it holds {len(found)} bytes and not {wanted}: damaged")
    return found


class Pipeline:
    """The codecs of the chunks of an array.

    Parameters
    ----------
    stages : sequence of Stage
        The codecs, in the order in which they were applied.
    nbytes : int
        The number of bytes of a chunk's values.

    Examples
    --------
    >>> import zlib
    >>> pipeline = Pipeline([Shuffle(2), Deflate()], 4)
    >>> pipeline.decode(zlib.compress(b"acbd")).tobytes()
    b'abcd'
    """

    def __init__(self, stages: Sequence[Stage], nbytes: int) -> None:
        self.stages = tuple(stages)
        self.nbytes = nbytes
        self._unmasked = self._steps(0)

    def _steps(self, mask: int) -> tuple[tuple[tuple[Stage, int | None], ...], int | None]:
        """Return the stages to undo, each with its decoded size, and the stored size."""
        size: int | None = self.nbytes
        steps = []
        for number, stage in enumerate(self.stages):
            if not mask >> number & 1:
                steps.append((stage, size))
                size = stage.stored_size(size)
        return tuple(reversed(steps)), size

    def decode(self, data: Any, mask: int = 0, out: npt.NDArray[np.uint8] | None = None) -> Any:
        """Return the bytes of a chunk's values.

        Parameters
        ----------
        data : buffer
            The stored bytes of the chunk.
        mask : int
            Bit *n* is set if stage *n* was skipped for this chunk.
        out : ndarray of uint8, optional
            A contiguous array of ``nbytes`` for the result.

        Returns
        -------
        buffer
            `out` if it was given, else a buffer of ``nbytes``, which may be overwritten when this
            thread decodes the next chunk.

        Raises
        ------
        ValueError
            If the chunk is damaged.
        """
        steps = self._checked_steps(data, mask)
        last = len(steps) - 1
        for number, (stage, wanted) in enumerate(steps):
            room = out if number == last else None
            if number == last and out is None and stage.fills:
                room = scratch("decoded", self.nbytes)
            data = _undone(stage, data, wanted, room)
        if out is None or data is out:
            return data
        out[:] = np.frombuffer(data, np.uint8)
        return out

    def decode_parts(
        self,
        data: Any,
        mask: int,
        itemsize: int,
        parts: Iterable[tuple[int, npt.NDArray[np.uint8]]],
    ) -> bool:
        """Decode parts of a chunk's values, if that is less work than decoding all of them.

        Parameters
        ----------
        data, mask
            As in `decode`.
        itemsize : int
            The number of bytes of an element.
        parts : iterable of tuple
            For each part its first element, and the array for its bytes.

        Returns
        -------
        bool
            Whether the parts were decoded; if not, nothing was done.

        Raises
        ------
        ValueError
            If the chunk is damaged.
        """
        steps = self._checked_steps(data, mask)
        last = steps[-1][0] if steps else None
        if not isinstance(last, Shuffle) or last.width != itemsize or itemsize not in MERGED:
            return False
        for stage, wanted in steps[:-1]:
            data = _undone(stage, data, wanted, None)
        for start, out in parts:
            unshuffle_part(data, itemsize, start, out)
        return True

    def _checked_steps(self, data: Any, mask: int) -> tuple[tuple[Stage, int | None], ...]:
        steps, size = self._steps(mask) if mask else self._unmasked
        if size is not None and len(data) != size:
            raise ValueError(f"it has {len(data)} bytes and not {size}: damaged")
        return steps

    def working_bytes(self, into: bool) -> int:
        """Return the memory that decoding a chunk takes, beside its stored bytes.

        Parameters
        ----------
        into : bool
            Whether `decode` is called with `out`, which is not counted.
        """
        buffers = sum(stage.copies for stage in self.stages)
        if into and self.stages and self.stages[0].fills:
            buffers -= 1
        return buffers * self.nbytes
