"""Streams of contiguous values of a file, read without a library; errors that name the read."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import BiggusError, OpenError, SourceChangedError, SourceError, format_box
from biggus.indexing.grid import flat_range
from biggus.sources.stream import AnyOrderStream, lies_flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from biggus.backends.descriptor import Descriptor
    from biggus.indexing.selection import Positions
    from biggus.sources.base import Box, Source, Stream


def one_line(error: BaseException) -> str:
    """Return the message of an error without line breaks, which those of libhdf5 have."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(text).split()) or type(error).__name__


class failures_named:  # noqa: N801 - used as a context manager
    """Turn errors within a with block into SourceErrors that name the source and the box."""

    # Each read enters one; a generator takes three times as long.
    def __init__(self, name: str, box: Box) -> None:
        self.name = name
        self.box = box

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if isinstance(error, SourceChangedError):
            raise error.read_as(self.name, self.box) from None
        if not isinstance(error, SourceError):
            problem = error if isinstance(error, BiggusError) else one_line(error)
            raise SourceError(self.name, self.box, problem) from error


def log_read(log: logging.Logger, name: str, box: Box, nbytes: int, started: float) -> None:
    """Log a read that began at `started`, on `time.perf_counter`."""
    if log.isEnabledFor(logging.DEBUG):
        spent = (time.perf_counter() - started) * 1e3
        log.debug("read %s %s: %d bytes in %.1f ms", name, format_box(box), nbytes, spent)


@contextlib.contextmanager
def opening_named(location: str) -> Iterator[None]:
    """Turn errors of a library within a with block into OpenErrors that name the location."""
    try:
        yield
    except BiggusError:
        raise
    except Exception as error:
        raise OpenError(location, f"it cannot be read: {one_line(error)}") from error


def piece_of(
    source: Source, box: Box, stored: Descriptor, offset: int, check: Callable[[], None]
) -> Stream | None:
    """Return a stream of a box, or None if the box is not contiguous.

    Parameters
    ----------
    source, box
        As in `Stream`; the values of the source are contiguous, in C order.
    stored : Descriptor
        The file.
    offset : int
        The offset of the values of the source in the file, in bytes.
    check : callable
        Raises if the file has changed since it was opened.
    """
    if not lies_flat(box, source.shape):
        return None
    first, _ = flat_range(box, source.shape)
    return _Piece(source, box, stored, offset + first * source.dtype.itemsize, check)


class _Piece(AnyOrderStream):
    """A stream of contiguous values that begin at `offset`; see `piece_of`."""

    def __init__(
        self, source: Source, box: Box, stored: Descriptor, offset: int, check: Callable[[], None]
    ) -> None:
        super().__init__(source, box)
        self._stored = stored
        self._offset = offset
        self._check = check

    def read_into(self, start: int, out: npt.NDArray[Any]) -> None:
        offset = self._offset + start * out.itemsize
        with failures_named(self.name, self.box):
            self._stored.read_into(out.view(np.uint8).data, offset)
            self._check()

    def read_at_hand(self, starts: Positions, counts: Positions, out: npt.NDArray[Any]) -> bool:
        offsets = (self._offset + starts * out.itemsize).tolist()
        sizes = (counts * out.itemsize).tolist()
        with failures_named(self.name, self.box):
            done = self._stored.read_at_hand(out.view(np.uint8).data, offsets, sizes)
            if done:
                self._check()
        return done
