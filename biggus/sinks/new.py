"""New arrays in new stores: what is to be made, and what takes its values."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from biggus import cf
from biggus.errors import OutputError
from biggus.graph import Rechunked
from biggus.indexing.grid import default_chunks
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import carried_attributes, default_fill, packed_fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from biggus.engine import Writer
    from biggus.graph import Node
    from biggus.labels import Labels
    from biggus.sources.base import Box, Chunks, Values
    from biggus.sources.compression import Compression

_LARGEST = 64 * 2**20
"""Bytes; larger chunks of what an array is made of are not taken over."""

_SMALLEST = 2**20
"""Bytes; smaller ones are taken together, up to about this many."""


@dataclasses.dataclass
class NewArray:
    """An array that is to be made in a store.

    Attributes
    ----------
    label : str
        What errors call it.
    name : str
        Its path in the store; empty for the store itself.
    shape : tuple of int
    dtype : dtype
        That in which values are stored; objects are strings.
    chunks : tuple of int
        Its chunk lengths, at least one each.
    dims : tuple of str
        The names of its axes.
    attributes : mapping
        What is said of it.
    marker : scalar, optional
        What the store is told stands for missing values.  None: nothing does.
        False: nothing does, nor may the store think so.
    masked : bool
        Whether values can be missing.
    implied : scalar, optional
        What readers of the format take for missing where the store is told nothing.
    fill : scalar, optional
        What stands for missing values in a store that cannot be told.
    nan : bool
        Whether NaN or NaT may stand for them there.
    problem : str, optional
        What to say where a value is missing and has no place.
    remedy : str, optional
        What to do where a value is equal to the marker.  None: another is found.
    compression : Compression, optional
        How chunks are compressed.  None: as the format does it.
    unlimited : collection of str
        The names of those axes along which it may grow.
    """

    label: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    marker: Any = None
    masked: bool = False
    implied: Any = None
    fill: Any = None
    nan: bool = True
    problem: str | None = None
    remedy: str | None = None
    compression: Compression | None = None
    unlimited: Collection[str] = ()


class Target(Assigning):
    """An array in a new store.  It is given plain arrays, of the dtype in which it stores them.

    What has been written can be read again until the store is closed.
    """

    sparse = False
    """Whether nothing is stored of chunks that hold nothing but the marker."""

    def read(self, box: Box) -> npt.NDArray[Any]:
        """Return what was written, as an array that may be written to."""
        with self._lock:
            values = self._get(box)
        shape = [s.stop - s.start for s in box]
        return np.array(values, copy=True).reshape(shape)

    def _get(self, box: Box) -> Any:
        return self.target[box]

    def mark(self, marker: Any) -> None:
        """Tell the store anew what stands for missing values.

        What was there before is read as it was written, until the store is closed.  Stores
        that have no place for it are given arrays without a marker, and are never asked.
        """
        raise NotImplementedError


class NewStore(ABC):
    """A file or folder that does not exist yet, and arrays in it.

    Parameters
    ----------
    path : Path
        Where it is made.
    """

    named: ClassVar[bool | None]
    """Whether an array in it has a name; None: it may have one, or be all of the store."""

    marks: ClassVar[str]
    """The kinds of dtype for which it can say what stands for missing values."""

    compressions: ClassVar[Collection[str]] = ()
    """The names of the compressions that it has; ``"blosc"`` stands for all of that kind."""

    format: ClassVar[str]
    """What errors call it."""

    chunked: ClassVar[bool] = True
    """Whether arrays in it have chunks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        """Return the dtype in which values are stored: objects for strings of any length.

        Raises
        ------
        OutputError
            If the format has no place for them.
        """
        # Of truth values there is none left to stand for missing ones.
        return np.dtype("i1") if dtype.kind == "b" and masked and self.marks else dtype

    @abstractmethod
    def create(self, new: NewArray) -> Writer:
        """Make an array, and return what writes its values; of kinds in `marks`, a `Target`."""

    def first_marker(self, dtype: np.dtype[Any]) -> Any:
        """Return what stands for missing values best in this format; None: no matter what."""
        return None

    def implied(self, about: Labels, dtype: np.dtype[Any]) -> Any:
        """Return what readers take for missing where the store is told nothing, or None."""
        return None

    def problem(self, dtype: np.dtype[Any]) -> str:
        """Return what to say where a value is missing that the format has no place for."""
        return (
            "a value is missing, and this format has no place for missing values of dtype "
            f"{dtype}; fill them first, with .filled(...)"
        )

    def metadata(self, about: Labels, dtype: np.dtype[Any]) -> tuple[dict[str, Any], Any]:
        """Return the attributes that are stored, and what means "missing" among packed values."""
        attributes = carried_attributes(about.attributes, about.decoded)
        if about.decoded:
            return attributes, None
        marker = packed_fill(about.attributes, dtype)
        if marker is None and about.default_fills:
            marker = default_fill(about.attributes, dtype)
        return attributes, marker

    def decoder(self, about: Labels, dtype: np.dtype[Any]) -> cf.Decoder | None:
        """Return what readers unpack values with that are written as they are stored."""
        if not self.marks:
            return None
        told, marker = self.metadata(about, dtype)
        if marker is not None and marker is not False:
            told = {**told, "_FillValue": np.asarray(marker, dtype)[()]}
        defaults = about.default_fills and marker is None
        return cf.decoder(dtype, told, default_fills=defaults)

    def tell(self, attributes: Mapping[str, Any]) -> None:
        """Say something of all that is in it, where the format has a place for that."""
        del attributes

    @abstractmethod
    def close(self) -> None:
        """Finish: all arrays have their values.  May be called twice."""


def strings(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return strings of any kind as Python's, in an array of objects.

    Raises
    ------
    OutputError
        If some object is not a string.
    """
    objects = values.astype(object)
    if not all(isinstance(value, str) for value in objects.flat):
        raise OutputError("there is no place for Python objects that are not strings")
    return objects


def native(values: Values) -> Values:
    """Return values in the byte order of this machine: some libraries swap bytes in place."""
    swapped: Values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return swapped


def longest_chunks(grid: Chunks, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return one chunk length an axis.

    Where the lengths differ, as those of months do, the longest stands for them.
    """
    lengths = [m if isinstance(m, int) else max(m, default=1) for m in grid]
    return tuple([max(1, min(n, m)) for n, m in zip(shape, lengths, strict=True)])


def chunks_for(node: Node) -> tuple[int, ...]:
    """Return the chunk lengths of a new array: those of the node, if they make sense there.

    Else those of C-ordered blocks of about 4 MiB.  Small ones are taken together.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.zeros((40, 500, 500)), chunks=(10, 250, 250))
    >>> chunks_for(a.node), chunks_for(a[:, 3:].node)
    ((10, 250, 250), (10, 250, 250))
    """
    shape, itemsize = node.shape, max(1, node.dtype.itemsize)
    grid = node.grid
    if isinstance(node, Rechunked):
        return longest_chunks(node.chunks, shape)
    if grid is None:
        return default_chunks(shape, itemsize)
    chunks = list(longest_chunks(grid, shape))
    nbytes = math.prod(chunks) * itemsize
    if nbytes > _LARGEST:
        return default_chunks(shape, itemsize)
    for axis in reversed(range(len(shape))):
        most = _SMALLEST // nbytes
        if most < 2:
            break
        times = min(most, -(-shape[axis] // chunks[axis]))
        if times > 1:
            chunks[axis] = min(shape[axis], chunks[axis] * times)
            nbytes *= times
    return tuple(chunks)
