"""Values that lie in one piece of a file, read past any library, a run after the other."""

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
    """Return the message of an error, of libhdf5 perhaps, without line breaks."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(text).split()) or type(error).__name__


@contextlib.contextmanager
def failures_named(name: str, box: Box) -> Iterator[None]:
    """Make errors of the library, of the system and of opening say what was read."""
    try:
        yield
    except SourceChangedError as error:
        raise error.read_as(name, box) from None
    except SourceError:
        raise
    except BiggusError as error:
        raise SourceError(name, box, error) from error
    except Exception as error:
        raise SourceError(name, box, one_line(error)) from error


def log_read(log: logging.Logger, name: str, box: Box, nbytes: int, started: float) -> None:
    """Tell of a read that began at `started`, by the counter of performance."""
    if log.isEnabledFor(logging.DEBUG):
        spent = (time.perf_counter() - started) * 1e3
        log.debug("read %s %s: %d bytes in %.1f ms", name, format_box(box), nbytes, spent)


@contextlib.contextmanager
def opening_named(location: str) -> Iterator[None]:
    """Make errors of the library say what was opened: damaged files make it raise many kinds."""
    try:
        yield
    except BiggusError:
        raise
    except Exception as error:
        raise OpenError(location, f"it cannot be read: {one_line(error)}") from error


def piece_of(
    source: Source, box: Box, stored: Descriptor, offset: int, check: Callable[[], None]
) -> Stream | None:
    """Return what reads a box a run after the other, or None if it lies in several pieces.

    Parameters
    ----------
    source, box
        As in Stream; all values of the source lie in C order.
    stored : Bytes
        The file.
    offset : int
        Where the values of the source begin in it, in bytes.
    check : callable
        Raises if the file has changed since it was opened.
    """
    if not lies_flat(box, source.shape):
        return None
    first, _ = flat_range(box, source.shape)
    return _Piece(source, box, stored, offset + first * source.dtype.itemsize, check)


class _Piece(AnyOrderStream):
    """Values that lie in one piece of a file, which begins at `offset`; as of `piece_of`."""

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
