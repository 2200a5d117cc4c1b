"""The base classes of reading without libhdf5, for all layouts of storage.

A read takes the lock of libhdf5 to look up the offsets of values.  Then it reads and
decodes them without the lock, in parallel with other threads.  It reads the very
file that libhdf5 looked at, and raises an error if that has changed meanwhile.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.native import hdf5_lock, look_for_interrupts
from biggus.backends.pieces import failures_named, log_read
from biggus.sources.base import Box, Chunks, Source, Stream, Values, checked
from biggus.support.watching import changed

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Hashable

    import numpy as np
    import numpy.typing as npt

    from biggus.backends.descriptor import Descriptor
    from biggus.backends.signature import FileSignature


class OpenForRead(NamedTuple):
    """An open dataset, for the duration of one read.

    Attributes
    ----------
    path : str
        The file.
    descriptor : Descriptor
        The descriptor of the file.
    signature : FileSignature
        The signature of the file when it was opened.
    key : hashable
        Identifies the dataset and the state of its file.
    dataset : callable
        Returns the h5py Dataset; called with the lock held.  It raises an error if the file
        has changed.
    values : callable
        Reads a box with libhdf5; called with the lock held.
    release : callable
        Lets libhdf5 close the file, when the offsets of all values are known; called with the
        lock held.
    """

    path: str
    descriptor: Descriptor
    signature: FileSignature
    key: Hashable
    dataset: Callable[[], Any]
    values: Callable[[Box], npt.NDArray[Any]]
    release: Callable[[], object]

    def check(self) -> None:
        """Raise a SourceChangedError if the file has changed since it was opened."""
        if self.descriptor.signature() != self.signature:
            raise changed(self.path)


class DirectSource(Source):
    """A source whose values are read without libhdf5 if possible."""

    owns_data = True
    reads_into = True
    log: logging.Logger

    @property
    @abstractmethod
    def storage(self) -> Storage | None:
        """The storage of the values; None if only libhdf5 can read them."""

    # The storage may change with the file, hence properties.

    @property
    def direct(self) -> bool:
        """Whether the values can be read without libhdf5, as far as is known."""
        return self.storage is not None

    @property
    def decodes_chunks(self) -> bool:  # type: ignore[override]
        """Whether a chunk is decoded as a whole.

        That is also so if libhdf5 reads the chunks: its chunk cache is small.
        """
        storage = self.storage
        return self.chunks is not None if storage is None else storage.decodes_chunks

    @property
    def reads_parts(self) -> bool:  # type: ignore[override]
        """Whether the stored bytes are those of the values, so that parts can be read."""
        storage = self.storage
        return storage is not None and not storage.decodes_chunks

    @property
    def skips_chunks(self) -> bool:  # type: ignore[override]
        """Whether each chunk is looked up separately."""
        storage = self.storage
        return storage is not None and not storage.streams

    @property
    def streams(self) -> bool:  # type: ignore[override]
        """Whether the values are contiguous in the file."""
        storage = self.storage
        return storage is not None and storage.streams

    @abstractmethod
    def _opening(self) -> tuple[Storage, OpenForRead] | None:
        """Return the means to read without libhdf5, or None if that is impossible at present.

        The caller holds the lock.
        """

    @abstractmethod
    def _read(self, box: Box) -> Values:
        """Return the values in `box` as read by libhdf5.  The caller holds the lock."""

    def _values(self, box: Box, out: npt.NDArray[Any] | None) -> Values:
        """Return the values in `box`; this is `out` if that is given and was read into."""
        started = time.perf_counter()
        with failures_named(self.name, box):
            with hdf5_lock:
                direct = self._opening()
                if direct is None:
                    values = self._read(box)
                look_for_interrupts()
            if direct is not None:
                storage, opening = direct
                values = storage.read(box, opening, out)
        log_read(self.log, self.name, box, values.nbytes, started)
        return values

    def __getitem__(self, box: Box) -> Values:
        return self._values(box, None)

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` into `out`, if that is possible without libhdf5."""
        if not self.direct:
            return False
        values = self._values(box, out)
        if values is not out:  # libhdf5 read them after all
            out[...] = checked(self, box, values)
        return True

    def stream(self, box: Box) -> Stream | None:
        """Return a stream of the values in `box`, if they are contiguous in the file."""
        if not self.streams:
            return None
        with failures_named(self.name, box), hdf5_lock:
            direct = self._opening()
        if direct is None:
            return None
        storage, opening = direct
        return storage.stream(self, box, opening)


class Storage(ABC):
    """The storage of a dataset in its file.

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
    """Whether a chunk is decoded as a whole, even for a small part of it."""

    streams = False
    """Whether the values are contiguous in the file and not encoded."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @abstractmethod
    def read(
        self, box: Box, opening: OpenForRead, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return the values in `box`, in `out` if given: an array in C order.

        The caller does not hold the lock.

        Raises
        ------
        OSError, ValueError
            If the file is damaged or truncated, or has changed meanwhile.
        """

    def stream(self, source: Source, box: Box, opening: OpenForRead) -> Stream | None:
        """Return a stream of the values in `box` of a source, if that is possible."""
        return None

    @abstractmethod
    def peak_bytes(self, box: Box) -> int:
        """Return the peak memory of reading `box` in bytes, including its values."""
