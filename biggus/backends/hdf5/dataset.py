"""The base class of sources over an h5py Dataset."""

from __future__ import annotations

import logging
import math
from operator import ge
from typing import Any

from biggus.backends.hdf5.direct import DirectSource, Storage
from biggus.backends.hdf5.storage import compression_of, storage_of
from biggus.backends.hdf5.values import (
    ATTACHING,
    attributes_of,
    dims_of,
    fill_value_of,
    layout_of,
)
from biggus.backends.native import LibraryLock, hdf5_lock
from biggus.errors import OpenError
from biggus.sources.base import Box


class DatasetSource(DirectSource):
    """The base class of sources over an h5py Dataset."""

    io_bound = False
    log = logging.getLogger("biggus.backends.hdf5")
    _storage: Storage | None = None  # None if only libhdf5 can read it

    swmr = False
    """Whether the dataset may grow; the shape of the source stays as of opening."""

    @property
    def storage(self) -> Storage | None:
        """The storage of the values; None if only libhdf5 can read them."""
        return self._storage

    @property
    def decodes_chunks(self) -> bool:  # type: ignore[override]
        """Whether chunks are decoded as a whole; False for a dataset that may grow."""
        return super().decodes_chunks and not self.swmr

    @property
    def lock(self) -> LibraryLock | None:  # type: ignore[override]
        """The lock of libhdf5, if only libhdf5 can read the values."""
        return None if self.direct else hdf5_lock

    def _describe(self, location: str, dataset: Any, properties: Any) -> None:
        try:
            self.shape, self.dtype, self.chunks = layout_of(dataset, properties)
        except (TypeError, ValueError) as error:
            raise OpenError(location, f"the variable {dataset.name!r}: {error}") from error
        self.compression = compression_of(properties)
        self.fill_value = fill_value_of(dataset, self.dtype, properties)
        attributes = attributes_of(dataset, properties)
        self.attributes = {name: v for name, v in attributes.items() if name not in ATTACHING}
        self.dims = dims_of(dataset, attributes)
        if self.dims is not None:  # an array type adds axes without names
            self.dims += (None,) * (len(self.shape) - len(self.dims))
        limits = zip(self.dims or (), dataset.maxshape, strict=False)
        self.unlimited = tuple([dim for dim, limit in limits if limit is None and dim is not None])

    def _check_layout(self, dataset: Any) -> None:
        shape, dtype, _ = layout_of(dataset, dataset.id.get_create_plist())
        grown = self.swmr and len(shape) == len(self.shape) and all(map(ge, shape, self.shape))
        if dtype != self.dtype or (shape != self.shape and not grown):
            raise ValueError(
                f"it has changed since it was opened: it was {self.dtype} of shape {self.shape}, "
                f"and is now {dtype} of shape {shape}; open it again"
            )

    def _stored(self, dataset: Any, properties: Any) -> Storage | None:
        storage = storage_of(dataset, properties)
        return storage if storage is not None and storage.dtype == self.dtype else None

    def peak_bytes(self, box: Box) -> int:
        """Return the peak memory of reading `box` in bytes, including compressed chunks."""
        if self._storage is not None:
            return self._storage.peak_bytes(box)
        chunk = 0 if self.chunks is None else math.prod(map(_longest, self.chunks))
        # libhdf5 has a chunk in memory both compressed and decoded.
        return super().peak_bytes(box) + 2 * chunk * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.dtype} {self.shape}>"


def _longest(lengths: int | tuple[int, ...]) -> int:
    return lengths if isinstance(lengths, int) else max(lengths)
