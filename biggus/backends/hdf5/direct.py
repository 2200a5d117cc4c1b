"""Reading without libhdf5: what is shared by all ways of storing values.

A read takes the lock of the library to find where values lie, then reads and
decodes them without, beside other threads.  They come from the very
file that the library has open, and are given only if it has not changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.source import Source, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np
    import numpy.typing as npt

    from biggus.backends.hdf5.descriptor import Descriptor
    from biggus.backends.stamp import Stamp
    from biggus.source import Box, Chunks, Values


class Opening(NamedTuple):
    """A dataset that is open, for the time of one read.

    Attributes
    ----------
    descriptor : Descriptor
        The file.
    stamp : Stamp
        How the file was when it was opened.
    dataset : callable
        Gives the h5py Dataset, and what names it and the opening of its file;
        called with the lock held.  It raises if the file is another one now.
    values : callable
        Reads a box by way of the library; called with the lock held.
    """

    descriptor: Descriptor
    stamp: Stamp
    dataset: Callable[[], tuple[Any, Hashable]]
    values: Callable[[Box], npt.NDArray[Any]]

    def check(self) -> None:
        """Raise a ValueError if the file is not as it was when it was opened."""
        if self.descriptor.stamp() != self.stamp:
            raise ValueError("the file changed during the read; read it again")


class DirectSource(Source):
    """A source whose values are read without the library where that is possible."""

    fresh = True
    reads_into = True

    @property
    @abstractmethod
    def direct(self) -> bool:
        """Whether it seems to be possible."""

    @abstractmethod
    def _values(self, box: Box, out: npt.NDArray[Any] | None) -> Values:
        """Return the values in `box`: `out`, if that is given and they are read directly."""

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

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @abstractmethod
    def read(
        self, box: Box, opening: Opening, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return the values in `box`, put into `out` if that is given: an array in C order.

        The caller does not hold the lock.

        Raises
        ------
        OSError, ValueError
            If the file is damaged, cut short, or changed meanwhile.
        """

    @abstractmethod
    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, its values included."""
