"""The source of a Zarr array."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.backends.http.client import OFFLINE
from biggus.backends.siblings import sibling_of
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.arrays import import_zarr, opening_of, parse_metadata, reason
from biggus.backends.zarr.compressed import codecs_of, compression_of
from biggus.backends.zarr.conventions import CONVENTIONS, cf_attributes, follows_cf
from biggus.backends.zarr.expected import expected
from biggus.backends.zarr.grids import (
    StoredGrid,
    parts_of_shards,
    rectilinear_edges,
    regular_fields,
)
from biggus.backends.zarr.pipelines import dtype_of
from biggus.backends.zarr.reader import array_reader
from biggus.backends.zarr.record import Record
from biggus.backends.zarr.store import ForbiddenError, ZarrStore
from biggus.errors import (
    DeadlineError,
    GoneError,
    OfflineError,
    OpenError,
    SourceChangedError,
    SourceError,
    VariableError,
    format_box,
)
from biggus.indexing.grid import around
from biggus.sources.base import Box, Source, Values
from biggus.support import watching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from biggus.backends.zarr.grids import Edges
    from biggus.backends.zarr.metadata import ArrayDocument

log = logging.getLogger("biggus.backends.zarr")

_INVALID = "its metadata are invalid: "


class ZarrSource(Source):
    """The source of an array in a Zarr store.

    `chunks` are those of the array, in a sharded array the inner ones; validators are those of the
    objects (chunks or shards) that hold them.  If the store's fill value is null (format 2: not
    initialised), chunks that were never written read as zeros.

    Values are as stored.  The source declares by ``conventions`` that it follows the CF conventions
    if its attributes have any of ``scale_factor``, ``add_offset``, ``missing_value``,
    ``valid_min``, ``valid_max``, ``valid_range``, ``_FillValue`` and ``_Unsigned``, or name the
    original dtype of the values (see `biggus.cf`), or if the array has format 2, xarray's
    ``_ARRAY_DIMENSIONS`` and a fill value that is not null.  In format 2 the fill value of such an
    array is its ``_FillValue``, unless it has an attribute of that name; in format 3 it is not.
    The fill value of any other array does not mark missing values, and neither do the default
    fill values of the netCDF library.  Numbers in attributes are those of JSON: a scale factor of
    0.01 is a float64, and so are values unpacked by it.

    Variable-length strings are object arrays of ``str``.

    Parameters
    ----------
    store : ZarrStore
        The store.
    public : str
        The name of the store, without credentials.
    path : str
        The path of the array in the store; ``""`` for the root.
    zarr_format : int, optional
        2 or 3, if the store has both; by default 3 is preferred.
    reopen : tuple of (callable, tuple)
        The function and arguments that open the source in another process.
    decode : bool, optional
        Whether to declare that the array follows the CF conventions.
    pipeline : type, optional
        The class of zarr-python's codec pipeline for codecs that biggus does not know; by default
        the configured one.
    document : ArrayDocument, optional
        The metadata document of the array, if it has just been read.

    Raises
    ------
    OpenError, GoneError, VariableError
        If the store or array does not exist, or cannot be read.
    """

    owns_data = True

    def __init__(
        self,
        store: ZarrStore,
        public: str,
        path: str,
        zarr_format: int | None,
        reopen: tuple[Callable[..., Source | None], tuple[Any, ...]],
        decode: bool = True,
        pipeline: type[Any] | None = None,
        document: ArrayDocument | None = None,
    ) -> None:
        import_zarr()
        self.store = store
        self._reopen = reopen
        with opening_of(public):
            document = document or _document(store, public, path, zarr_format)
            self._signature = store.signature(document.keys[0])
        self.document = document
        self._structure = document.structure
        self.name = f"{public}::{path or zarr_metadata.ROOT}"
        self.token = f"zarr:{public}{store.variant}|{path}|v{document.zarr_format}"
        self.remote = store.remote
        self._path = path
        self._zarr_format = zarr_format
        self.attributes = document.attributes
        _refuse_pickles(document, public)
        with opening_of(public, _INVALID):
            edges = rectilinear_edges(document.fields)
        fields = document.fields
        if edges is not None:
            # zarr-python may not support the grid.
            grid = StoredGrid(tuple(fields["shape"]), edges)
            shape = grid.shape if grid.regular else grid.largest
            fields = regular_fields(fields, shape, grid.largest)
        metadata = parse_metadata(fields, public)
        with opening_of(public, _INVALID):
            self._take(fields, metadata, edges, pipeline)
            self.dims = document.dims
            if decode and follows_cf(document, self.dtype):
                self.attributes = cf_attributes(document, self.dtype, self.fill_value)
                self.conventions = CONVENTIONS

    def _take(
        self,
        fields: dict[str, Any],
        metadata: Any,
        edges: tuple[Edges, ...] | None,
        pipeline: type[Any] | None,
    ) -> None:
        """Take over the properties in the metadata; `edges` are those of a rectilinear grid."""
        store = self.store
        self.dtype = dtype_of(metadata)
        self.fill_value = metadata.fill_value
        self.shape = tuple(int(n) for n in self.document.fields["shape"])
        if edges is None:
            # A chunk of length 0 is what an axis of length 0 may have been written with.
            edges = tuple(max(1, int(n)) for n in (metadata.shards or metadata.chunks))
        self._grid = grid = StoredGrid(self.shape, edges)
        self.compression = compression_of(fields)
        store.expected = expected(fields, self.dtype, grid.largest)
        self._encode = metadata.encode_chunk_key
        self._reader = array_reader(store, fields, metadata, self._key, grid, pipeline)
        self.chunks = grid.chunks
        if metadata.shards is not None:
            self.chunks = inner = tuple(int(n) for n in metadata.chunks)
            if not store.direct:
                self.shards = parts_of_shards(grid, inner, self.dtype.itemsize)
        if store.direct:
            # Reading computes: the file system is taken to have it at hand.
            self.io_bound = False
            self.skips_chunks = True
            self.reads_into = True
            self.chunks = self._reader.natural_chunks(self.chunks)

    @property
    def decodes_chunks(self) -> bool:  # type: ignore[override]
        """Whether chunks lie here, and are encoded; what lies elsewhere is for a cache to keep."""
        return not self.remote and self._reader.decodes_chunks

    @property
    def reads_parts(self) -> bool:  # type: ignore[override]
        """Whether chunks are local and uncompressed."""
        return not (self.io_bound or self._reader.decodes_chunks)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reopen

    def sibling(self, name: str) -> Source | None:
        """Return another array of the store; None if this one was adopted from the user."""
        reopen, (place, *arguments) = self._reopen
        if not isinstance(place, str):
            return None
        variable, options = arguments

        def make(path: str) -> Source | None:
            inside = zarr_metadata.array_path(self.name, path)
            document = None
            try:
                # The store has this array, so a missing document means a missing array, even if
                # the store cannot be listed.
                document = zarr_metadata.read_array(self.store, inside, self._zarr_format)
            except ForbiddenError:
                return None  # some servers respond so if it does not exist
            except Exception:  # noqa: BLE001 - opening the array raises it again
                return reopen(place, path, options)
            return None if document is None else reopen(place, path, options, document)

        return sibling_of(variable, name, make)

    def group_attributes(self) -> Mapping[str, Any]:
        """Return the attributes of the root and of all groups down to the array."""
        _, (place, *_) = self._reopen
        if not isinstance(place, str):
            return {}
        attributes: dict[str, Any] = {}
        parts = self._path.split("/")
        for count in range(len(parts)):
            path = "/".join(parts[:count])
            group = zarr_metadata.read_group(self.store, path, self._zarr_format)
            attributes.update(group or {})
        return attributes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.shape} {self.dtype}>"

    def __getitem__(self, box: Box) -> Values:
        return self._read(box)[0][0]

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Decode `box` into `out` if the store is local."""
        if self.reads_into:
            self._read(box, out=out)
        return self.reads_into

    def validator(self, box: Box) -> bytes | None:
        """Return the state of the metadata and of the chunks that `box` touches."""
        return self.store.validator(self.document.keys, self.chunk_keys(box))

    def chunk_keys(self, box: Box) -> list[str]:
        """Return the keys of the objects (chunks or shards) that `box` touches."""
        return [self._key(part.number) for part in self._grid.parts(box)]

    def _key(self, number: tuple[int, ...]) -> str:
        key = self._encode(number)
        return f"{self._path}/{key}" if self._path else key

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes.

        Compressed chunks are decoded whole.
        """
        return self._reader.peak_bytes(box)

    def _read(
        self, *boxes: Box, out: npt.NDArray[Any] | None = None, encoded: bool = False
    ) -> tuple[list[Values], Record]:
        """Read boxes; return their values and the record; raises only `SourceError`."""
        if self.remote and options.current().offline:
            raise OfflineError(self.name, boxes[0], OFFLINE)
        record = Record(encoded={} if encoded else None)
        started = time.perf_counter()
        try:
            results = watching.evaluated(partial(self._read_checked, boxes, record, out))
        except SourceChangedError as error:
            raise error.read_as(self.name, _named(boxes)) from None
        except (SourceError, DeadlineError):
            raise
        except Exception as error:
            raise SourceError(self.name, _named(boxes), reason(error)) from error
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "read %s %s: %d bytes, %d objects, %d absent, %.1f ms",
                self.name,
                format_box(_named(boxes)),
                sum(values.nbytes for values in results),
                len(record.tags),
                len(record.absent),
                1e3 * (time.perf_counter() - started),
            )
        return results, record

    def _read_checked(
        self, boxes: Sequence[Box], record: Record, out: npt.NDArray[Any] | None
    ) -> list[Values]:
        """Read boxes of an array that is the one that was opened, before and after the read."""
        self._check_metadata()
        results = self._reader.read(boxes, record, out)
        # Chunks are absent by design only if the metadata still exist.
        self._check_metadata(thoroughly=bool(record.absent))
        return results

    def _check_metadata(self, *, thoroughly: bool = False) -> None:
        """Check that the array still exists, and is the one that was opened, or has grown."""
        try:
            signature = self.store.signature(self.document.keys[0])
        except FileNotFoundError:
            raise OSError("the store is gone: its metadata is no longer there") from None
        if signature == self._signature and (signature is not None or not thoroughly):
            return
        document = zarr_metadata.read_array(self.store, self._path, self.document.zarr_format)
        if document is None:
            raise OSError("the store is gone: its metadata is no longer there")
        if not document.continues(self.document):
            raise OSError("the array was replaced or cut short since it was opened: open it again")
        self._signature = signature


def _document(store: ZarrStore, public: str, path: str, zarr_format: int | None) -> ArrayDocument:
    """Return the document of an array; if there is none, the error names the arrays there are."""
    document = zarr_metadata.read_array(store, path, zarr_format)
    if document is not None:
        return document
    try:
        available = zarr_metadata.list_arrays(store, public, zarr_format)
    except GoneError:
        raise
    except OpenError:
        if store.metadata_keys() is not None:
            raise
        available = ()
    raise VariableError(public, f"there is no array {path or zarr_metadata.ROOT!r}", available)


def _refuse_pickles(document: ArrayDocument, public: str) -> None:
    """Raise an error for pickles: reading data must not run code stored in them."""
    for name, _ in codecs_of(document.fields):
        if name == "pickle":
            raise OpenError(
                public,
                "the array is stored as Python pickles, which can run any code when they are "
                "read: convert it with zarr-python if you trust its origin",
            )


def _named(boxes: Sequence[Box]) -> Box:
    """Return the box for errors: the bounding box of several boxes."""
    return boxes[0] if len(boxes) == 1 else around(boxes)
