"""Reading without libhdf5: what is shared by all ways of storing values.

A read takes the lock of the library to find where values lie, then reads and
decodes them without, beside other threads.  They come from the very
file that the library has open, and are given only if it has not changed.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.native import hdf5_lock
from biggus.backends.pieces import failures_named, log_read
from biggus.sources.base import Source, checked
from biggus.support.watching import changed

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable

    import numpy as np
    import numpy.typing as npt

    from biggus.backends.descriptor import Descriptor
    from biggus.backends.signature import FileSignature
    from biggus.sources.base import Box, Chunks, Stream, Values


class OpenForRead(NamedTuple):
    """A dataset that is open, for the time of one read.

    Attributes
    ----------
    path : str
        The file.
    descriptor : Descriptor
        What reads its bytes.
    signature : FileSignature
        How the file was when it was opened.
    key : hashable
        Names the dataset and the state of its file.
    dataset : callable
        Gives the h5py Dataset; called with the lock held.  It raises if the file is
        another one now.
    values : callable
        Reads a box by way of the library; called with the lock held.
    release : callable
        Lets the library close the file, once it is known where all values lie; called
        with the lock held.
    """

    path: str
    descriptor: Descriptor
    signature: FileSignature
    key: Hashable
    dataset: Callable[[], Any]
    values: Callable[[Box], npt.NDArray[Any]]
    release: Callable[[], object]

    def check(self) -> None:
        """Raise a SourceChangedError if the file is not as it was when it was opened."""
        if self.descriptor.signature() != self.signature:
            raise changed(self.path)


class DirectSource(Source):
    """A source whose values are read without the library where that is possible."""

    owns_data = True
    reads_into = True
    log: logging.Logger

    @property
    @abstractmethod
    def storage(self) -> Storage | None:
        """How the values are stored; None if only the library can read them."""

    @property
    def direct(self) -> bool:
        """Whether the library need not read the values, as it seems."""
        return self.storage is not None

    @property
    def decodes_chunks(self) -> bool:  # type: ignore[override]  # likewise
        """Whether chunks are compressed; or nobody but the library reads them, which keeps few."""
        storage = self.storage
        return self.chunks is not None if storage is None else storage.decodes_chunks

    @property
    def reads_parts(self) -> bool:  # type: ignore[override]  # likewise
        """Whether values lie as they are."""
        storage = self.storage
        return storage is not None and not storage.decodes_chunks

    @property
    def skips_chunks(self) -> bool:  # type: ignore[override]  # likewise
        """Whether chunks are looked up one by one."""
        storage = self.storage
        return storage is not None and not storage.streams

    @property
    def streams(self) -> bool:  # type: ignore[override]  # it may change with the file
        """Whether the values lie in one piece."""
        storage = self.storage
        return storage is not None and storage.streams

    @abstractmethod
    def _opening(self) -> tuple[Storage, OpenForRead] | None:
        """Return how to read directly, or None if that is not possible now.

        The caller holds the lock.
        """

    @abstractmethod
    def _read(self, box: Box) -> Values:
        """Return the values in `box`, as the library reads them.  The caller holds the lock."""

    def _values(self, box: Box, out: npt.NDArray[Any] | None) -> Values:
        """Return the values in `box`: `out`, if that is given and they are read directly."""
        started = time.perf_counter()
        with failures_named(self.name, box):
            with hdf5_lock:
                found = self._opening()
                if found is None:
                    values = self._read(box)
            if found is not None:
                storage, opening = found
                values = storage.read(box, opening, out)
        log_read(self.log, self.name, box, values.nbytes, started)
        return values

    def __getitem__(self, box: Box) -> Values:
        return self._values(box, None)

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` to where its values are to be, if the library need not read them."""
        if not self.direct:
            return False
        values = self._values(box, out)
        if values is not out:  # it came to the library nevertheless
            out[...] = checked(self, box, values)
        return True

    def stream(self, box: Box) -> Stream | None:
        """Return what reads `box` a run after the other, if its values lie in one piece."""
        if not self.streams:
            return None
        with failures_named(self.name, box), hdf5_lock:
            found = self._opening()
        if found is None:
            return None
        storage, opening = found
        return storage.stream(self, box, opening)


class Storage(ABC):
    """How the values of a dataset are stored in its file.

    Parameters
    ----------
    shape : tuple of int
        The shape of the dataset.
    dtype : dtype
        The dtype of the values, in the file and in memory.
    """

    chunks: Chunks | None
    """The natural grid for reading."""

    decodes_chunks = False
    """Whether a chunk is decoded whole, whatever is wanted of it."""

    streams = False
    """Whether values that follow one another lie together, and are read as they are."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @abstractmethod
    def read(
        self, box: Box, opening: OpenForRead, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return the values in `box`, put into `out` if that is given: an array in C order.

        The caller does not hold the lock.

        Raises
        ------
        OSError, ValueError
            If the file is damaged, cut short, or changed meanwhile.
        """

    def stream(self, source: Source, box: Box, opening: OpenForRead) -> Stream | None:
        """Return what reads `box` of a source a run after the other, if that can be done."""
        return None

    @abstractmethod
    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, its values included."""
