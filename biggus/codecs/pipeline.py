"""Pipelines of codecs, which are undone in the reverse order of their application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.codecs import fletcher32
from biggus.codecs.deflate import inflate
from biggus.codecs.scratch import scratch
from biggus.codecs.shuffle import unshuffle

Room: TypeAlias = "npt.NDArray[np.uint8] | None"
"""An array that may be used for decoded bytes."""

Undo: TypeAlias = Callable[[Any, "int | None", Room], Any]
"""Takes encoded bytes, the number of decoded bytes if it is known, and an array of that many bytes
for the result; returns decoded bytes, in that array or elsewhere.  Raises ValueError or OSError if
the bytes are damaged."""


class DamagedChunkError(ValueError):
    """A chunk has another number of bytes than it should have."""


@dataclass(frozen=True)
class Stage:
    """One codec of a pipeline, with its settings."""

    undo: Undo
    """Decodes bytes."""

    longer: int | None = None
    """By how many bytes encoded bytes are longer than decoded ones; None if that varies."""

    fills: bool = False
    """Whether `undo` decodes into the array that it is given."""

    copies: bool = True
    """Whether decoded bytes are a copy; if not, they are a part of the encoded ones."""


def _inflate(data: Any, size: int | None, out: Room) -> Any:  # noqa: ARG001 - an Undo
    if size is None:
        raise ValueError("two compressions in one pipeline are not supported")
    return inflate(data, size)


def _unshuffle(width: int, data: Any, size: int | None, out: Room) -> Any:  # noqa: ARG001 - an Undo
    return unshuffle(data, width, np.empty(len(data), np.uint8) if out is None else out)


def _verify(data: Any, size: int | None, out: Room) -> Any:  # noqa: ARG001 - an Undo
    return fletcher32.verified(data)


DEFLATE = Stage(_inflate)
"""Deflate in a zlib stream."""

FLETCHER32 = Stage(_verify, longer=fletcher32.BYTES, copies=False)
"""A checksum after the data."""


def shuffle(width: int) -> Stage:
    """Return the byte shuffle of elements of `width` bytes."""
    return Stage(partial(_unshuffle, width), longer=0, fills=True)


def _undone(stage: Stage, data: Any, size: int | None, out: Room) -> Any:
    decoded = stage.undo(data, size, out)
    if size is not None and len(decoded) != size:
        raise DamagedChunkError(f"it holds {len(decoded)} bytes and not {size}: damaged")
    return decoded


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
    >>> pipeline = Pipeline([shuffle(2), DEFLATE], 4)
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
                size = None if size is None or stage.longer is None else size + stage.longer
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
        ValueError, OSError
            If the chunk is damaged.
        """
        steps = self._checked_steps(data, mask)
        last = len(steps) - 1
        for number, (stage, size) in enumerate(steps):
            room = out if number == last else None
            if number == last and out is None and stage.fills:
                room = scratch("decoded", self.nbytes)
            data = _undone(stage, data, size, room)
        if out is None or data is out:
            return data
        out[:] = np.frombuffer(data, np.uint8)
        return out

    def _checked_steps(self, data: Any, mask: int) -> tuple[tuple[Stage, int | None], ...]:
        steps, size = self._steps(mask) if mask else self._unmasked
        if size is not None and len(data) != size:
            raise DamagedChunkError(f"it has {len(data)} bytes and not {size}: damaged")
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
