"""New arrays and new stores: their descriptions, and the base classes of formats."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from biggus import cf
from biggus.backends.native import hdf5_lock
from biggus.errors import OutputError
from biggus.graph import Node, Rechunked
from biggus.indexing.grid import Grid, default_chunks
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import carried_attributes, default_fill, packed_fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from biggus.engine import Writer
    from biggus.labels import Labels
    from biggus.sources.base import Box, Chunks, Values
    from biggus.sources.compression import Compression

_LARGEST = 64 * 2**20
"""The largest chunks, in bytes, that are adopted from sources."""

_SMALLEST = 2**20
"""Smaller chunks of sources are combined to about this number of bytes."""


@dataclasses.dataclass
class NewArray:
    """The description of an array to create in a store.

    Attributes
    ----------
    label : str
        The name for error messages.
    name : str
        The path in the store; empty for the store itself.
    shape : tuple of int
        The shape.
    dtype : dtype
        The dtype in which values are stored; objects are strings.
    chunks : tuple of int
        The chunk length along each axis, at least 1.
    dims : tuple of str
        The names of the axes.
    attributes : mapping
        The attributes.
    marker : scalar, optional
        The value that marks missing ones in the store.  None if there is none; False if there
        is none and the store must not use a default.
    masked : bool
        Whether values can be missing.
    implied : scalar, optional
        The value that readers of the format take for missing if the store has no marker.
    problem : str, optional
        The error message if a value is missing and cannot be represented.
    compression : Compression, optional
        The compression; by default that of the format.
    unlimited : collection of str
        The names of the unlimited dimensions.
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
    problem: str | None = None
    compression: Compression | None = None
    unlimited: Collection[str] = ()


class Target(Assigning):
    """A writer to an array in a new store; it takes ndarrays of the dtype that is stored.

    Blocks that were written can be read until the store is closed.
    """

    sparse = False
    """Whether chunks that contain only the marker are not stored."""

    def read(self, box: Box) -> npt.NDArray[Any]:
        """Return values that were written, as a new ndarray."""
        with self._lock:
            values = self._get(box)
        shape = [s.stop - s.start for s in box]
        return np.array(values, copy=True).reshape(shape)

    def _get(self, box: Box) -> Any:
        return self.target[box]

    def mark(self, marker: Any) -> None:
        """Change the missing-value marker of the array.

        Until the store is closed, values are read as they were written.  It is called for
        arrays with a marker only.
        """
        raise NotImplementedError


class NewStore(ABC):
    """A new file or folder with arrays.

    Parameters
    ----------
    path : Path
        The path, which does not exist yet.
    """

    named: ClassVar[bool | None]
    """Whether arrays have names; None if an array may also be the whole store."""

    marks: ClassVar[str]
    """The kinds of dtypes that can have a missing-value marker."""

    compressions: ClassVar[Collection[str]] = ()
    """The names of the available compressions; ``"blosc"`` stands for all of Blosc."""

    format: ClassVar[str]
    """The name of the format for error messages."""

    chunked: ClassVar[bool] = True
    """Whether arrays have chunks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        """Return the dtype in which values are stored; object for strings of any length.

        Raises
        ------
        OutputError
            If the format cannot store the dtype.
        """
        # Booleans have no value left for a marker.
        return np.dtype("i1") if dtype.kind == "b" and masked and self.marks else dtype

    @abstractmethod
    def create(self, new: NewArray) -> Writer:
        """Create an array, and return its writer: a `Target` for dtypes of the kinds in `marks`."""

    def first_marker(self, dtype: np.dtype[Any]) -> Any:
        """Return the preferred marker of the format, or None."""
        return None

    def implied(self, about: Labels, dtype: np.dtype[Any]) -> Any:
        """Return the value that readers take for missing if there is no marker, or None."""
        return None

    def problem(self, dtype: np.dtype[Any]) -> str:
        """Return the error message if a value is missing that the format cannot represent."""
        return (
            f"a value is missing, and this format cannot represent missing values of dtype {dtype}"
        )

    def metadata(self, about: Labels, dtype: np.dtype[Any]) -> tuple[dict[str, Any], Any]:
        """Return the attributes to store, and the marker of missing values if they are packed."""
        attributes = carried_attributes(about.attributes, about.decoded)
        if about.decoded:
            return attributes, None
        marker = packed_fill(about.attributes, dtype)
        if marker is None and about.default_fills:
            marker = default_fill(about.attributes, dtype)
        return attributes, marker

    def decoder(self, about: Labels, dtype: np.dtype[Any]) -> cf.Decoder | None:
        """Return the decoder that readers will use for packed values."""
        if not self.marks:
            return None
        attributes, marker = self.metadata(about, dtype)
        if marker is not None and marker is not False:
            attributes = {**attributes, "_FillValue": np.asarray(marker, dtype)[()]}
        defaults = about.default_fills and marker is None
        return cf.decoder(dtype, attributes, default_fills=defaults)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the store, if the format has them."""
        del attributes

    @abstractmethod
    def close(self) -> None:
        """Complete the store, when all values are written.  It may be called twice."""


class NewFile(NewStore):
    """A new file of h5py or netCDF4-python, open from the first array until it is closed."""

    _file: Any = None

    def close(self) -> None:
        """Close the file."""
        with hdf5_lock:
            if self._file is not None:
                file, self._file = self._file, None
                file.close()


def strings(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return strings of any dtype as an array of Python strings.

    Raises
    ------
    OutputError
        If an object is not a string.
    """
    objects = values.astype(object)
    if not all(isinstance(value, str) for value in objects.flat):
        raise OutputError("Python objects other than strings cannot be stored")
    return objects


def native(values: Values) -> Values:
    """Return values in the byte order of this machine; some libraries would swap them in place."""
    swapped: Values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return swapped


def longest_chunks(grid: Chunks, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return one chunk length for each axis, the longest if lengths differ."""
    return tuple([max(1, n) for n in Grid(shape, grid).longest])


def chunks_for(node: Node) -> tuple[int, ...]:
    """Return the default chunks of a new array: those of the node, small ones combined.

    If those are missing or too large, chunks are C-ordered blocks of about 4 MiB.

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
