"""Sources: where values live.

A *source* has a ``shape``, a ``dtype`` and a ``__getitem__``.  biggus asks it only with a *box*: a
full-rank tuple of in-bounds, non-empty slices of positive step, and expects an array of exactly
that shape and of the source's dtype.  Any object that answers so is a source.

An object that can tell more derives from :class:`Source` and overrides what it knows; what it does
not override has a default that promises nothing.  A plain user object is never asked for more.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from biggus.errors import BiggusError, SourceChangedError, SourceError
from biggus.indexing.grid import Box as Box  # noqa: PLC0414 - others take these from here
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

Chunks: TypeAlias = tuple[int | tuple[int, ...], ...]
"""For each axis the regular chunk length, or the lengths of all its chunks."""

# Quoted: numpy.ma is not loaded before it is needed.
Values: TypeAlias = "npt.NDArray[Any] | np.ma.MaskedArray[Any, Any]"
"""What a read gives: an ndarray, or a MaskedArray where ``masked`` says so."""

_Answer = TypeVar("_Answer")


@runtime_checkable
class Readable(Protocol):
    """What is required of a source, and all that is asked of a plain object."""

    shape: Any
    dtype: Any

    def __getitem__(self, box: Any, /) -> Any:
        """Return the values in `box`."""


class Source:  # no ABC: each read asks whether it is one
    """Base of the sources that can tell more than shape, dtype and values.

    Subclasses set ``shape`` and ``dtype`` and implement ``__getitem__``; all else is optional.  A
    source must be safe to read from several threads at once, or name a `lock`; it should pickle by
    what is needed to open it again, never with its data.
    """

    shape: tuple[int, ...]
    """The length of each axis."""

    dtype: np.dtype[Any]
    """The dtype of the values that a read gives."""

    name: str = "source"
    """What errors and logs call it: location and variable, without credentials."""

    chunks: Chunks | None = None
    """The natural grid: for each axis the chunk length or all lengths."""

    shards: Chunks | None = None
    """The grid of whole chunks that are best read together; None: they are read side by side."""

    compression: Compression | None = None
    """How the chunks are compressed, if that is known: new stores keep it."""

    encoding: Encoding | None = None
    """How the bytes that `fetch_encoded` gives become values; None: it gives none."""

    token: str | None = None
    """Identity: location, variable and the options that change values.  None: cannot be cached."""

    masked: bool = False
    """Whether values can be missing; then, and only then, a read may give a MaskedArray."""

    fill_value: Any = None
    """What a missing value is shown as, in a MaskedArray."""

    attributes: Mapping[str, Any] = {}
    """What the store says about the variable: units, long name, ..."""

    dims: tuple[str, ...] | None = None
    """The names of the axes, where the store has them."""

    unlimited: tuple[str, ...] = ()
    """The names of those axes along which the store may grow: new stores keep that."""

    conventions: str | None = None
    """``"CF"`` where `attributes` say how the stored values are packed and masked; ``"CF-Zarr"``
    and ``"CF-HDF5"`` where netCDF's default fill values are values like any other besides."""

    io_bound: bool = True
    """Whether a read waits for something (then many threads help), or computes."""

    remote: bool = False
    """Whether values come over a network: such sources are cached unless told otherwise."""

    no_bulk: str | None = None
    """Why areas must not be fetched that nobody looks at; None: they may."""

    in_memory: bool = False
    """Whether values are in memory already and a read gives a view of them."""

    derived: bool = False
    """Whether values are computed from those of other sources, which are read for them."""

    owns_data: bool = False
    """Whether each read gives an array that nobody else holds."""

    decodes_chunks: bool = False
    """Whether to read a part of a chunk takes decoding all of it: then chunks stay in memory."""

    reads_parts: bool = False
    """Whether a part of a chunk costs its part of all, as of one that lies there as it is."""

    skips_chunks: bool = False
    """Whether a read with strides costs nothing of the chunks that it steps over."""

    reads_into: bool = False
    """Whether `read_into` is worth asking for."""

    streams: bool = False
    """Whether a run of values that follow one another costs what its part of all costs."""

    lock: contextlib.AbstractContextManager[Any] | None = None
    """What must be held while reading."""

    def __getitem__(self, box: Box) -> Values:
        """Return the values in `box`, an array of its shape and of ``dtype``."""
        raise NotImplementedError

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory, in bytes, that a read of `box` takes, its values included.

        What a source holds besides, such as a whole compressed chunk, counts.  Must be cheap.
        """
        nbytes = math.prod(box_shape(box)) * self.dtype.itemsize
        return nbytes + nbytes // max(1, self.dtype.itemsize) if self.masked else nbytes

    def cached_bytes(self, box: Box) -> int:
        """Return how many bytes of the values in `box` need not be fetched; reads nothing."""
        return 0

    def bytes_in_memory(self, box: Box) -> int:
        """Return how many bytes of the values in `box` are in memory, decoded; reads nothing."""
        return 0

    def cached_read(self, box: Box) -> Values | None:
        """Return what a read of `box` gives, if a source that `io_bound` need not wait for it.

        None if it has to, as most have; a cache has what it holds at hand.  It is
        asked without the `lock`, and not through wrappers unless they pass it on.
        """
        return None

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` to where its values are to be, if that spares a copy of them.

        Called in place of ``self[box]``, under the `lock` too, for sources that are not
        `masked`.  What is in `out` after an error is nobody's concern.

        Parameters
        ----------
        box : tuple of slice
            What to read.
        out : ndarray
            Of the shape of `box` and of ``dtype``, in C order.

        Returns
        -------
        bool
            Whether the values are in `out`; if not, as of most sources, nothing was read.
        """
        return False

    def stream(self, box: Box) -> Stream | None:
        """Return what gives the values in `box` a run after the other.

        For sources that are not `masked`.  Asked under the `lock`; what it gives is read without.

        Returns
        -------
        Stream or None
            None, as of most sources: boxes are to be read, of a few rows each.
        """
        return None

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store, such as a coordinate; None if there is none.

        It is looked for beside this one, then in the groups around it, as CF has it.
        """
        return None

    def group_attributes(self) -> Mapping[str, Any]:
        """Return what the store says of all that is in the group of this variable."""
        return {}

    def state(self) -> bytes | None:
        """Return the one validator that all boxes share, such as a file's; None if there is none.

        Must be cheap: no reading of values.
        """
        return None

    def validator(self, box: Box) -> bytes | None:
        """Return bytes that name the state of what lies in `box`, or None if unknown.

        Must be cheap: no reading of values.  An unknown one is never a cache hit.
        """
        return self.state()

    def cached_validator(self, box: Box) -> bytes | None:
        """Return the validator of what a read of `box` would give without a request, or None.

        That of `validator`; of what is kept of a remote source, that under which it is kept.
        """
        return self.validator(box)

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Read `box` and return the values and the validator that they surely are of.

        The validator is None if it is unknown, or changed during the read.
        """
        before = self.validator(box)
        values = read(self, box)
        after = self.validator(box)
        return values, after if before == after else None

    def fetch_many(self, boxes: Sequence[Box]) -> list[tuple[Values, bytes | None]]:
        """Do the same for several boxes, which may cost less than one after the other.

        Sources that have `shards` are asked so, for chunks in one part of them.
        """
        return [self.fetch(box) for box in boxes]

    def fetch_encoded(
        self, boxes: Sequence[Box]
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        """Do the same, and return also the stored bytes from which the values were decoded.

        There are some for a box that is one of its `chunks`, and has them in the store; else,
        and of a source without an `encoding`, it is None.
        """
        return [(*fetched, None) for fetched in self.fetch_many(boxes)]

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Tell whether a copy that was read under `validator` is still good.

        Returns
        -------
        bytes or None
            The validator under which the copy may be used and kept from now
            on (the same, or one with a later expiry), or None if it must be
            fetched again.
        """
        return validator if self.validator(box) == validator else None

    def revalidate_many(
        self, boxes: Sequence[Box], validators: Sequence[bytes]
    ) -> list[bytes | None]:
        """Do the same for several boxes, with as few questions as it takes."""
        return list(map(self.revalidate, boxes, validators))

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Tell whether `revalidate` would most likely wait for a server.

        Must be cheap.  By default it does for remote sources that have no `state`.
        """
        return self.remote and self.state() is None


class Stream(ABC):
    """The values in a box of a source, from the first to the last in C order.

    Parameters
    ----------
    source : Source
        Whose values, of which none can be masked.
    box : tuple of slice
        Where they are.

    Attributes
    ----------
    shape : tuple of int
        That of the box; or what is left of it without axes of length one.
    dtype : dtype
        The source's.
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
            How many were read before.
        out : ndarray
            Where those that follow go, as many as it has: flat, of the source's dtype.

        Raises
        ------
        SourceError
            If they cannot be read, or have changed since the first were.
        """


def read(source: Source, box: Box) -> Values:
    """Read `box` of `source` under its lock, and check what comes back.

    Raises
    ------
    SourceError
        If the read fails, or gives another shape or dtype than promised, or
        missing values where none were announced.
    """
    return checked(source, box, asked(source, box, source.__getitem__, box))


def read_into(source: Source, box: Box, out: npt.NDArray[Any]) -> bool:
    """Have `source` put the values of `box` where they are to be; False if it cannot.

    Raises
    ------
    SourceError
        If the read fails.
    """
    return asked(source, box, source.read_into, box, out)


def asked(source: Source, box: Box, method: Callable[..., _Answer], *given: Any) -> _Answer:
    """Return what a source answers, asked under its lock; errors say what was read."""
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
    """Return `values` if they are what a read of `box` must give.

    The bytes of a value may be in another order than promised: they are turned.

    Raises
    ------
    SourceError
        If they are of another shape or dtype than promised, or values are
        missing where none were announced.
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
                "pass masked=True to ArrayAdapter",
            )
        return values.data
    return values
