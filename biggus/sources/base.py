"""The contract of sources, the objects that values are read from.

A *source* has a ``shape``, a ``dtype`` and a ``__getitem__``.  biggus indexes it only with a *box*:
a full-rank tuple of in-bounds, non-empty slices of positive step.  It expects an array of exactly
the box's shape and the source's dtype.  Any such object can be a source.

A source with further capabilities derives from :class:`Source` and overrides its attributes and
methods; their defaults promise nothing.  Plain user objects are not asked for them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from biggus.errors import BiggusError, SourceChangedError, SourceError
from biggus.indexing.grid import Box as Box  # noqa: PLC0414 - re-exported
from biggus.indexing.grid import Chunks as Chunks  # noqa: PLC0414
from biggus.indexing.grid import box_shape as box_shape  # noqa: PLC0414
from biggus.indexing.grid import holds as holds  # noqa: PLC0414
from biggus.indexing.grid import whole as whole  # noqa: PLC0414
from biggus.indexing.grid import within as within  # noqa: PLC0414
from biggus.sources.byte_order import same_but_for_order
from biggus.support import deadlines

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping, Sequence

    from biggus.sources.compression import Compression
    from biggus.sources.encoding import Encoding

# Quoted, so that numpy.ma is not loaded before it is needed.
Values: TypeAlias = "npt.NDArray[Any] | np.ma.MaskedArray[Any, Any]"
"""The result of a read: an ndarray, or a MaskedArray if the source is ``masked``."""

_Answer = TypeVar("_Answer")


@runtime_checkable
class Readable(Protocol):
    """The minimal interface of a source, and all that plain objects are asked for."""

    shape: Any
    dtype: Any

    def __getitem__(self, box: Any, /) -> Any:
        """Return the values in `box`."""


class Source:  # no ABC, whose isinstance is slower, and which each read asks for
    """Base class of sources with optional capabilities.

    Subclasses set ``shape`` and ``dtype`` and implement ``__getitem__``; everything else is
    optional.  A source must be safe to read from several threads at once, or have a `lock`.  Its
    pickle should hold what is needed to open it again, never its data.
    """

    shape: tuple[int, ...]
    """The length of each axis."""

    dtype: np.dtype[Any]
    """The dtype of the values of a read."""

    name: str = "source"
    """The name in errors and logs: location and variable, without credentials."""

    chunks: Chunks | None = None
    """The natural grid: for each axis the chunk length or all lengths."""

    shards: Chunks | None = None
    """The grid of shards, whose chunks are best read together; None if chunks are independent."""

    compression: Compression | None = None
    """The compression of the chunks, if known; new stores use the same."""

    encoding: Encoding | None = None
    """Decodes the bytes that `fetch_encoded` returns; None if it returns no bytes."""

    token: str | None = None
    """The identity of the values: location, variable and options; None: they cannot be cached."""

    masked: bool = False
    """Whether values can be missing.  Only then may a read return a MaskedArray."""

    fill_value: Any = None
    """The ``fill_value`` of the MaskedArrays."""

    attributes: Mapping[str, Any] = {}
    """The attributes of the variable in the store: units, long name, ..."""

    dims: tuple[str | None, ...] | None = None
    """The names of the axes, if the store has any; None for an axis without a name."""

    unlimited: tuple[str, ...] = ()
    """The names of the axes along which the store can grow; new stores keep that."""

    conventions: str | None = None
    """``"CF"`` if `attributes` describe how the stored values are packed and masked; ``"CF-Zarr"``
    or ``"CF-HDF5"`` if, besides, netCDF's default fill values are ordinary values."""

    io_bound: bool = True
    """Whether a read waits for a disk or server (then many threads help), or computes."""

    remote: bool = False
    """Whether values come over a network.  Remote sources are cached by default."""

    no_bulk: str | None = None
    """Why bulk downloads are forbidden; None if they are not."""

    in_memory: bool = False
    """Whether the values are in memory and a read returns a view of them."""

    derived: bool = False
    """Whether values are computed from other sources."""

    owns_data: bool = False
    """Whether each read returns an array that nothing else refers to."""

    decodes_chunks: bool = False
    """Whether reading a part of a chunk decodes all of it.  Such chunks are kept in memory."""

    reads_parts: bool = False
    """Whether reading a part of a chunk costs only that part, as in an uncompressed chunk."""

    skips_chunks: bool = False
    """Whether a strided read costs nothing for the chunks that it steps over."""

    reads_into: bool = False
    """Whether `read_into` saves a copy."""

    streams: bool = False
    """Whether reading a run of consecutive values costs only that run."""

    lock: contextlib.AbstractContextManager[Any] | None = None
    """The lock to hold while reading."""

    def __getitem__(self, box: Box) -> Values:
        """Return the values in `box`, an array of its shape and of ``dtype``."""
        raise NotImplementedError

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory, in bytes, that a read of `box` takes, its result included.

        It includes what a source holds meanwhile, such as a decoded chunk.  Must be cheap.
        """
        nbytes = math.prod(box_shape(box)) * self.dtype.itemsize
        return nbytes + nbytes // max(1, self.dtype.itemsize) if self.masked else nbytes

    def cached_bytes(self, box: Box) -> int:
        """Return how many bytes of the values in `box` are on disk in a cache; reads nothing."""
        return 0

    def bytes_in_memory(self, box: Box) -> int:
        """Return how many bytes of the values in `box` are decoded in memory; reads nothing."""
        return 0

    def cached_read(self, box: Box) -> Values | None:
        """Return the values in `box` if an `io_bound` source need not wait for them, else None.

        A cache need not wait for chunks that it holds.  Called without the `lock`.  Wrappers do
        not delegate it unless they say so.
        """
        return None

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` into an array, if that saves a copy.

        Called in place of ``self[box]``, under the `lock` too, for sources that are not
        `masked`.  After an error `out` may hold anything.

        Parameters
        ----------
        box : tuple of slice
            The box to read.
        out : ndarray
            Of the shape of `box` and of ``dtype``, in C order.

        Returns
        -------
        bool
            Whether the values are in `out`; False, the default, if nothing was read.
        """
        return False

    def stream(self, box: Box) -> Stream | None:
        """Return a stream of the values in `box`.

        For sources that are not `masked`.  Called under the `lock`; the stream is read without it.

        Returns
        -------
        Stream or None
            None, the default, if boxes of a few rows each should be read instead.
        """
        return None

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store, such as a coordinate; None if there is none.

        As in the CF conventions, the group of this variable is searched first, then its parents.
        """
        return None

    def group_attributes(self) -> Mapping[str, Any]:
        """Return the attributes of the group of this variable."""
        return {}

    def state(self) -> bytes | None:
        """Return the validator that all boxes share, such as that of a file; None without one.

        Must be cheap: reads no values.
        """
        return None

    def validator(self, box: Box) -> bytes | None:
        """Return bytes that identify the state of the values in `box`; None if unknown.

        Must be cheap: reads no values.  An unknown state is never a cache hit.
        """
        return self.state()

    def cached_validator(self, box: Box) -> bytes | None:
        """Return the validator of the values that a read of `box` gives without a request.

        For cached chunks of a remote source it is the validator that they are kept under.
        """
        return self.validator(box)

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Read `box`; return its values and the validator that is certain to be theirs.

        The validator is None if it is unknown or changed during the read.
        """
        before = self.validator(box)
        values = read(self, box)
        after = self.validator(box)
        return values, after if before == after else None

    def fetch_many(self, boxes: Sequence[Box]) -> list[tuple[Values, bytes | None]]:
        """Fetch several boxes, which may cost less than one by one.

        Called for chunks of one shard if the source has `shards`.
        """
        return [self.fetch(box) for box in boxes]

    def fetch_encoded(
        self, boxes: Sequence[Box]
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        """Fetch several boxes, and return for each also the stored bytes of its chunk.

        The bytes are None if the box is not one of the `chunks`, if the store has none for it, or
        if the source has no `encoding`.
        """
        return [(*fetched, None) for fetched in self.fetch_many(boxes)]

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether a copy that was read under `validator` is still valid.

        Returns
        -------
        bytes or None
            The validator to keep the copy under from now on (the same, or one with a later
            expiry), or None if `box` must be fetched again.
        """
        return validator if self.validator(box) == validator else None

    def revalidate_many(
        self, boxes: Sequence[Box], validators: Sequence[bytes]
    ) -> list[bytes | None]:
        """Revalidate the copies of several boxes, with as few requests as possible."""
        return list(map(self.revalidate, boxes, validators))

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return whether `revalidate` would most likely wait for a server.

        Must be cheap.  By default True for remote sources that have no `state`.
        """
        return self.remote and self.state() is None


class Stream(ABC):
    """The values in a box of a source, from the first to the last in C order.

    Parameters
    ----------
    source : Source
        The source; it is not `masked`.
    box : tuple of slice
        The box.

    Attributes
    ----------
    shape : tuple of int
        The shape of the box, perhaps without axes of length one.
    dtype : dtype
        The dtype of the source.
    """

    def __init__(self, source: Source, box: Box) -> None:
        self.name = source.name
        self.box = box
        self.shape = box_shape(box)
        self.dtype = source.dtype

    @abstractmethod
    def read_into(self, start: int, out: npt.NDArray[Any]) -> None:
        """Read the next values.

        Parameters
        ----------
        start : int
            The number of values that were read before.
        out : ndarray
            One-dimensional, of the source's dtype; filled with the values from `start` on.

        Raises
        ------
        SourceError
            If the values cannot be read, or have changed since the first were read.
        """


def read(source: Source, box: Box) -> Values:
    """Read `box` of `source` under its lock, and check the result.

    Raises
    ------
    SourceError
        If the read fails, or its result is not of the shape and dtype promised, or has masked
        values although the source is not ``masked``.
    """
    return checked(source, box, call(source, box, source.__getitem__, box))


def read_into(source: Source, box: Box, out: npt.NDArray[Any]) -> bool:
    """Call ``source.read_into`` under its lock; return whether the values are in `out`.

    Raises
    ------
    SourceError
        If the read fails.
    """
    return call(source, box, source.read_into, box, out)


def call(source: Source, box: Box, method: Callable[..., _Answer], *given: Any) -> _Answer:
    """Call a method of a source under its lock; errors name the source and the box."""
    deadlines.check()
    try:
        if source.lock is None:
            return method(*given)
        with source.lock:
            return method(*given)
    except SourceChangedError as error:
        raise error.read_as(source.name, box) from None
    except BiggusError:
        raise
    except Exception as error:
        raise SourceError(source.name, box, error) from error


def checked(source: Source, box: Box, values: Values) -> Values:
    """Return the values of a read of `box`, having checked them.

    Values in another byte order are converted to that of the source's dtype.

    Raises
    ------
    SourceError
        If they are not of the shape and dtype promised, or some are masked although the source
        is not ``masked``.
    """
    expected = box_shape(box)
    if not isinstance(values, np.ndarray):
        raise SourceError(source.name, box, f"got a {type(values).__name__}, not an array")
    if values.shape != expected:
        raise SourceError(source.name, box, f"got shape {values.shape} instead of {expected}")
    if values.dtype != source.dtype:
        if not same_but_for_order(values.dtype, source.dtype):
            problem = f"got dtype {values.dtype} instead of {source.dtype}"
            raise SourceError(source.name, box, problem)
        values = values.astype(source.dtype)
    if not source.masked and isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise SourceError(
                source.name,
                box,
                "got masked values from a source that does not announce any; "
                "pass `masked=True` to ArrayAdapter",
            )
        return values.data
    return values
