"""Finding out how a dataset is stored, and whether it can be read without libhdf5.

It can if values have the same bytes in the file and in memory, and `biggus.codecs` has
every filter.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.hdf5.chunked import ChunkedStorage
from biggus.backends.hdf5.contiguous import ContiguousStorage
from biggus.backends.hdf5.files import h5py
from biggus.codecs.pipeline import DEFLATE, FLETCHER32, Pipeline, Stage, shuffle
from biggus.sources.compression import Compression

if TYPE_CHECKING:
    from biggus.backends.hdf5.direct import Storage

_LZF = 32000


def storage_of(dataset: Any, properties: Any) -> Storage | None:
    """Return the storage of an h5py Dataset; None if only libhdf5 can read it.

    `properties` is its creation property list.  The caller holds the lock, and has checked that
    the values are in a regular file.
    """
    shape = dataset.shape
    if not shape or 0 in shape:
        return None  # nothing to gain for scalars and empty datasets
    dtype = plain_dtype(dataset.id.get_type())
    if dtype is None or properties.get_external_count():
        return None
    layout, kinds = properties.get_layout(), h5py().h5d
    if layout == kinds.CONTIGUOUS:
        offset = offset_of(dataset.id, shape, dtype)
        return None if offset is None else ContiguousStorage(shape, dtype, offset)
    if layout == kinds.CHUNKED:
        stages = _stages(properties)
        if stages is None:
            return None
        chunks = tuple(properties.get_chunk())
        pipeline = Pipeline(stages, math.prod(chunks) * dtype.itemsize)
        return ChunkedStorage(shape, dtype, chunks, pipeline, not offsets_are_reliable(dataset.id))
    return None


def offsets_are_reliable(dataset: Any) -> bool:
    """Return whether libhdf5 returns the offset of each chunk.

    `dataset` is an h5py DatasetID.  The caller holds the lock.
    """
    # In some releases of libhdf5, offsets of chunks count from the end of a user block.
    if h5py().h5i.get_file_id(dataset).get_create_plist().get_userblock():
        return False
    # libhdf5 gives the offset of another chunk, or none, if the index is an extensible array whose
    # unlimited axis is not the first.  It reads the right chunk.
    unlimited: int = h5py().h5s.UNLIMITED
    most: tuple[int, ...] = dataset.get_space().get_simple_extent_dims(True)
    return most[1:].count(unlimited) != 1 or most[0] == unlimited


def offset_of(dataset: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int | None:
    """Return the offset of a contiguous dataset in its file, or None if it was never written.

    `dataset` is its h5py DatasetID.  The caller holds the lock.
    """
    offset: int | None = dataset.get_offset()
    whole = dataset.get_storage_size() == math.prod(shape) * dtype.itemsize
    return offset if whole else None


def plain_dtype(stored: Any) -> np.dtype[Any] | None:
    """Return the dtype of an h5py TypeID; None if libhdf5 would convert the values.

    The caller holds the lock.
    """
    return _plain_dtype(stored.encode())


@lru_cache(maxsize=256)
def _plain_dtype(encoded: bytes) -> np.dtype[Any] | None:
    h5t = h5py().h5t
    stored = h5t.decode(encoded)
    classes = {stored.get_class()}
    if h5t.COMPOUND in classes:
        classes = {stored.get_member_class(number) for number in range(stored.get_nmembers())}
    if not classes <= {h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM}:
        return None  # h5py does not recognize references in decoded types
    dtype: np.dtype[Any] = stored.dtype
    if dtype.kind not in "biufcS" or dtype.itemsize == 0 or not _is_plain(stored, dtype):
        return None
    return np.dtype(dtype.str)


def _is_plain(stored: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether values have the same bytes in the file and in memory."""
    h5t = h5py().h5t
    if stored.get_class() == h5t.STRING:
        # The padding of strings of one character makes no difference.
        if stored.get_size() == 1 and stored.get_strpad() != h5t.STR_SPACEPAD:
            return True
        return bool(stored.get_strpad() == h5t.STR_NULLPAD)
    if stored.get_class() == h5t.ENUM and dtype.kind in "iu":
        stored = stored.get_super()
        dtype = np.dtype(dtype.str)
    return bool(stored.equal(h5t.py_create(dtype, logical=True)))


def compression_of(properties: Any) -> Compression | None:
    """Return the compression of a dataset, if it is by the filters built into h5py."""
    h5z = h5py().h5z
    name, level, shuffle = None, None, False
    for number in range(properties.get_nfilters()):
        code, _, settings, _ = properties.get_filter(number)
        if code == h5z.FILTER_SHUFFLE:
            shuffle = True
        elif code == h5z.FILTER_DEFLATE:
            name, level = "zlib", int(settings[0])
        elif code == _LZF:
            name = "lzf"
    return None if name is None else Compression(name, level, shuffle)


def _stages(properties: Any) -> list[Stage] | None:
    """Return the filters of a dataset as stages, or None if one of them is unknown."""
    h5z = h5py().h5z
    stages: list[Stage] = []
    compressions = 0
    for number in range(properties.get_nfilters()):
        code, _, settings, _ = properties.get_filter(number)
        if code == h5z.FILTER_SHUFFLE and settings:
            stages.append(shuffle(settings[0]))
        elif code == h5z.FILTER_FLETCHER32:
            stages.append(FLETCHER32)
        elif code == h5z.FILTER_DEFLATE:
            stages.append(DEFLATE)
            compressions += 1
        else:
            return None
    return stages if compressions < 2 else None
