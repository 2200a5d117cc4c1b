"""Sources for the user's arrays of zarr-python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from biggus import options
from biggus.backends.zarr.arrays import import_zarr
from biggus.backends.zarr.http import OfflineConnectionError
from biggus.backends.zarr.metadata import ROOT
from biggus.backends.zarr.opening import open_source
from biggus.backends.zarr.source import ZarrSource
from biggus.backends.zarr.store import WHOLE, Fetched, Span, ZarrStore
from biggus.sources.base import Source
from biggus.support.forks import between_forks


class ForeignStore(ZarrStore):
    """The objects in any store of zarr-python.

    Their state is unknown, so copies of them never count as valid.

    Parameters
    ----------
    store : zarr.abc.store.Store
        The store.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.remote = _is_remote(store)

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        with between_forks():
            from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
            from zarr.core.buffer.cpu import buffer_prototype
            from zarr.core.sync import sync

        if self.remote and options.current().offline:
            raise OfflineConnectionError
        start, stop = span
        request: Any = None
        if start is not None and start < 0:
            request = SuffixByteRequest(-start)
        elif stop is not None:
            request = RangeByteRequest(start or 0, stop)
        elif start is not None:
            request = OffsetByteRequest(start)
        # A store may belong to the event loop of zarr-python, where `sync` runs this.
        buffer = sync(self.store.get(key, buffer_prototype, request))
        return None if buffer is None else Fetched(buffer.to_bytes())

    def signature(self, key: str) -> object:
        return None

    def validator(self, metadata: Sequence[str], chunks: Iterable[str]) -> bytes | None:
        return None


def _is_remote(store: Any) -> bool:
    """Return whether reading from a store of zarr-python asks a server."""
    with between_forks():
        from zarr import storage

    while isinstance(store, storage.WrapperStore):
        store = store._store  # noqa: SLF001 - documented, and the only access
    if isinstance(store, storage.FsspecStore):
        protocol = getattr(store.fs, "sync_fs", store.fs).protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        return not names & {"file", "local", "memory"}
    if isinstance(store, storage.ObjectStore):
        return type(store.store).__name__ not in {"LocalStore", "MemoryStore"}
    return False


def adopt_array(array: Any) -> Source | None:
    """Return the source of a ``zarr.Array``; None for other objects.

    An array in a folder, or in a read-only zip file, is opened again by its path.  Any other is
    read through its own store, and has no token; codecs that biggus does not know are decoded by
    a codec pipeline of the array's class.  The dtype
    is that of the store after opening, for format 3 stores no byte order.  Values are not decoded
    by CF, as the array itself does not do so.
    """
    zarr = import_zarr()
    if not isinstance(array, zarr.Array):
        return None
    store = array.store
    zarr_format = array.metadata.zarr_format
    place = None
    if type(store) is zarr.storage.LocalStore:
        place = store.root
    elif type(store) is zarr.storage.ZipStore and store.read_only:
        place = store.path
    if place is not None:
        return open_source(
            str(place.absolute()),
            array.path or ROOT,
            (("decode", False), ("zarr_format", zarr_format)),
        )
    source = ZarrSource(
        ForeignStore(store),
        f"zarr array in {type(store).__name__}",
        array.path,
        zarr_format,
        (adopt_array, (array,)),
        decode=False,
        pipeline=type(array._async_array.codec_pipeline),  # noqa: SLF001 - the only access
    )
    source.token = None
    return source
