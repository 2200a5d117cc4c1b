"""One Zarr array as a source."""

from __future__ import annotations

import functools
import logging
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.backends.http.client import OFFLINE
from biggus.backends.siblings import sibling_of
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.arrays import import_zarr, lend_pipeline, make_array, reason
from biggus.backends.zarr.checks import check_for
from biggus.backends.zarr.conventions import CONVENTIONS, cf_attributes, follows_cf
from biggus.backends.zarr.direct import direct_reader
from biggus.backends.zarr.grids import StoredGrid, rectilinear_edges, regular_fields
from biggus.backends.zarr.loop import can_run_here, run_here
from biggus.backends.zarr.store import Record, make_store, recording
from biggus.errors import (
    BiggusError,
    GoneError,
    OfflineError,
    OpenError,
    SourceError,
    VariableError,
    format_box,
)
from biggus.source import Box, Source, Values, box_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.backends.zarr.grids import Edges
    from biggus.backends.zarr.metadata import ArrayDocument
    from biggus.backends.zarr.objects import Objects

log = logging.getLogger("biggus.backends.zarr")

_AT_ONCE = 10
"""How many chunks zarr-python reads at once, unless its configuration says otherwise."""


class ZarrSource(Source):
    """An array in a Zarr store.

    The unit of reading, `chunks`, is the chunk, in a sharded array the inner
    one; a version is that of the objects (chunks, or shards) which hold it.
    Where `fill_value` is None in the store (format 2: not initialised), chunks
    that were never written read as zeros.

    Values are as they are stored.  An array follows the CF conventions, and says
    so in its ``conventions``, if its attributes hold any of ``scale_factor``,
    ``add_offset``, ``missing_value``, ``valid_min``, ``valid_max``,
    ``valid_range``, ``_FillValue`` and ``_Unsigned``, or name the dtype that its
    values had before they were stored (see `biggus.cf`), or if it is of format 2
    with xarray's ``_ARRAY_DIMENSIONS`` and a fill value that is not null.  In
    format 2 the fill value of such an array is its ``_FillValue``, unless it
    has an attribute of that name; in format 3 it never is.  The fill value of
    any other array marks nothing as missing, and the netCDF library's default
    fill values never do.  Numbers in attributes are JSON's: a scale factor
    0.01 is a float64, and so are values that are unpacked by it.

    Variable-length strings are object arrays of ``str``.

    Parameters
    ----------
    objects : Objects
        The objects of the store.
    public : str
        What the store is called, without credentials.
    path : str
        The path of the array inside the store; ``""`` for the root.
    zarr_format : int, optional
        2 or 3, where the store holds both; by default 3 goes first.
    reopen : tuple of (callable, tuple)
        What makes this source again, on another process.
    decode : bool, optional
        Whether to say so if the array follows the CF conventions.

    Raises
    ------
    OpenError, GoneError, VariableError
        If there is no such store or array, or none that can be read.
    """

    fresh = True

    def __init__(
        self,
        objects: Objects,
        public: str,
        path: str,
        zarr_format: int | None,
        reopen: tuple[Callable[..., Source | None], tuple[Any, ...]],
        decode: bool = True,
    ) -> None:
        zarr = import_zarr()
        self.objects = objects
        self._reopen = reopen
        document = open_document(objects, public, path, zarr_format)
        self.document = document
        self._structure = document.structure
        self._signature = _signature(objects, public, document)
        self.name = f"{public} {path or zarr_metadata.ROOT}"
        self.token = f"zarr:{public}{objects.variant}|{path}|v{document.zarr_format}"
        self.remote = objects.remote
        self._key_prefix = f"{path}/" if path else ""
        self.attributes = document.attributes
        _refuse_pickles(document, public)
        store = make_store(objects)
        try:
            edges = rectilinear_edges(document.fields)
        except (ValueError, TypeError, KeyError) as error:
            raise OpenError(public, f"its metadata make no sense: {reason(error)}") from error
        fields = document.fields
        if edges is not None:
            # zarr-python may not know the grid; to it, each chunk is an array of its own.
            grid = StoredGrid(tuple(fields["shape"]), edges)
            shape = grid.shape if grid.regular else grid.largest
            fields = regular_fields(fields, shape, grid.largest)
        self._array = make_array(store, path, fields, public)
        self._blocking = zarr.Array(self._array)
        try:
            self._take(self._blocking, edges)
            self.dims = document.dims
            if decode and follows_cf(document, self.dtype):
                self.attributes = cf_attributes(document, self.dtype, self.fill_value)
                self.conventions = CONVENTIONS
            store.check = check_for(fields, document.zarr_format)
        except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
            raise OpenError(public, f"its metadata make no sense: {reason(error)}") from error

    def _take(self, array: Any, edges: tuple[Edges, ...] | None) -> None:
        """Take over what the array says of itself, but for a rectilinear grid."""
        stored = array.dtype
        self._variable_length = isinstance(stored, np.dtypes.StringDType)
        self._stored_dtype = stored
        self.dtype = np.dtype(object) if self._variable_length else np.dtype(stored)
        self.fill_value = array.fill_value
        self.shape = tuple(int(n) for n in self.document.fields["shape"])
        if edges is None:
            # A chunk of length 0 is what an axis of length 0 may have been written with.
            edges = tuple(max(1, int(n)) for n in (array.shards or array.chunks))
        self._grid = StoredGrid(self.shape, edges)
        self._sharded = array.shards is not None
        self.chunks = self._grid.chunks
        if self._sharded:
            self.chunks = tuple(int(n) for n in array.chunks)
        self._encode = array.metadata.encode_chunk_key
        self._direct = direct_reader(self.objects, self.document, array, self._key, self._grid)
        if self._direct is not None:
            # Reading computes: the file system is taken to have it at hand.
            self.waits = False
            self.chunks = self._direct.natural_chunks(self.chunks)

    def decode_as(self, array: Any) -> None:
        """Decode as a ``zarr.AsyncArray`` of the user's with the same metadata does."""
        lend_pipeline(array, self._array)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reopen

    def sibling(self, name: str) -> Source | None:
        """Return another array of the store; None of one that was adopted."""
        reopen, (place, *given) = self._reopen
        if not isinstance(place, str):
            return None
        variable, options = given
        return sibling_of(variable, name, lambda path: reopen(place, path, options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.shape} {self.dtype}>"

    def __getitem__(self, box: Box) -> Values:
        return self._read(box)[0]

    def version(self, box: Box) -> bytes | None:
        """Return the state of the chunks that `box` touches, and of the metadata."""
        return self.objects.version(self.document.keys, self.chunk_keys(box))

    def chunk_keys(self, box: Box) -> list[str]:
        """Return the keys of the objects (chunks, or shards) that `box` touches."""
        return [self._key(part.number) for part in self._grid.parts(box)]

    def _key(self, number: tuple[int, ...]) -> str:
        return f"{self._key_prefix}{self._encode(number)}"

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes.

        Compressed chunks are decoded whole; zarr-python holds several at once.
        """
        if self._direct is not None:
            return self._direct.peak_bytes(box)
        stored = math.prod(map(min, self._grid.largest, self.shape))
        chunks = min(_AT_ONCE, math.prod(self._chunks_touched(box)))
        # Of a shard it has the bytes, the values, and the chunks that become those.
        copies = 3 if self._sharded else 2
        return super().peak_bytes(box) + copies * chunks * stored * self.dtype.itemsize

    def _chunks_touched(self, box: Box) -> list[int]:
        axes = zip(self._grid.axes, box, strict=True)
        return [axis.find(s.stop - 1) - axis.find(s.start) + 1 for axis, s in axes]

    def _read(self, box: Box) -> tuple[Values, Record]:
        """Read, and tell what was met; raises `SourceError` alone."""
        if self.remote and options.current().offline:
            raise OfflineError(self.name, box, OFFLINE)
        record = Record()
        started = time.perf_counter()
        mark = recording.set(record)
        try:
            self._check_metadata()
            values = self._values(box, record)
            # What is absent by design has metadata that says so.
            self._check_metadata(thoroughly=bool(record.absent))
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(self.name, box, reason(error)) from error
        finally:
            recording.reset(mark)
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "read %s %s: %d bytes, %d objects, %d absent, %.1f ms",
                self.name,
                format_box(box),
                values.nbytes,
                len(record.tags),
                len(record.absent),
                1e3 * (time.perf_counter() - started),
            )
        return values, record

    def _values(self, box: Box, record: Record) -> Values:
        if self._direct is not None:
            return self._direct.read(box, record)
        if not self._grid.regular:
            return self._rectilinear_values(box)
        values: Values
        one = math.prod(self._chunks_touched(box)) == 1
        if one and box and self.objects.anywhere and can_run_here():
            values = np.asarray(run_here(self._array.getitem(box)))
        else:
            # Reading into a buffer of our own gives an array, where zarr
            # would give a scalar for an array without axes.
            buffer_class = _buffer_class()
            buffer = buffer_class.from_numpy_array(np.empty(box_shape(box), self._stored_dtype))
            self._blocking.get_basic_selection(box, out=buffer)
            values = buffer.as_numpy_array()
        return values.astype(object) if self._variable_length else values

    def _rectilinear_values(self, box: Box) -> Values:
        values = np.empty(box_shape(box), self.dtype)
        for part in self._grid.parts(box):
            shape = self._grid.stored_shape(part.number)
            fields = regular_fields(self.document.fields, shape, shape)
            store = make_store(self.objects, only=self._key(part.number))
            store.check = check_for(fields, self.document.zarr_format)
            array = make_array(store, self._array.path, fields, self.name)
            if self.objects.anywhere and can_run_here():
                values[part.outer] = run_here(array.getitem(part.inner))
            else:
                values[part.outer] = type(self._blocking)(array)[part.inner]
        return values

    def _check_metadata(self, *, thoroughly: bool = False) -> None:
        """Make sure that the array is still there and still the one that was opened."""
        try:
            signature = self.objects.signature(self.document.keys[0])
        except FileNotFoundError:
            raise OSError("the store is gone: its metadata is no longer there") from None
        if signature == self._signature and (signature is not None or not thoroughly):
            return
        document = zarr_metadata.read_array(
            self.objects, self._array.path, self.document.zarr_format
        )
        if document is None:
            raise OSError("the store is gone: its metadata is no longer there")
        if document.structure != self._structure:
            raise OSError("the array was replaced since it was opened: open it again")
        self._signature = signature


def open_document(
    objects: Objects, public: str, path: str, zarr_format: int | None
) -> ArrayDocument:
    """Read the document of an array; failures are errors of opening."""
    try:
        document = zarr_metadata.read_array(objects, path, zarr_format)
        if document is not None:
            return document
        try:
            available = zarr_metadata.list_arrays(objects, public, zarr_format)
        except GoneError:
            raise
        except OpenError:
            if objects.metadata_keys() is not None:
                raise
            available = ()
    except BiggusError:
        raise
    except FileNotFoundError:
        raise GoneError(public, "there is no such store") from None
    except ConnectionError as error:
        raise GoneError(public, str(error)) from None
    except (OSError, ValueError) as error:
        raise OpenError(public, reason(error)) from error
    raise VariableError(public, f"there is no array {path or zarr_metadata.ROOT!r}", available)


def _signature(objects: Objects, public: str, document: ArrayDocument) -> object:
    try:
        return objects.signature(document.keys[0])
    except FileNotFoundError:
        raise GoneError(public, "there is no such store") from None


def _refuse_pickles(document: ArrayDocument, public: str) -> None:
    """Refuse what unpickles: reading data must not run code that lies with them."""
    fields = document.fields
    codecs: list[Any] = [fields.get("compressor")]
    for name in ("filters", "codecs"):
        several = fields.get(name)
        codecs += several if isinstance(several, list) else []
    for codec in codecs:
        if isinstance(codec, dict) and "pickle" in (codec.get("id"), codec.get("name")):
            raise OpenError(
                public,
                "the array is stored as Python pickles, which can run any code when they are "
                "read: convert it with zarr-python if you trust where it is from",
            )


@functools.lru_cache(maxsize=1)
def _buffer_class() -> Any:
    from zarr.core.buffer.cpu import NDBuffer

    return NDBuffer
