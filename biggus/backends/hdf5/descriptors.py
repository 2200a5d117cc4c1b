"""Descriptors of HDF5 files whose values are read beside the library: pooled, checked on each use.

The library opens a file to tell where values lie.  Once that is known it need not have the file
open: an open file takes 0.6 MB of its memory, and a descriptor next to nothing.

Everything here is called with `hdf5_lock` held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus.backends.descriptor import Descriptor
from biggus.backends.files import HandlePool
from biggus.backends.hdf5.files import forget
from biggus.backends.native import hdf5_lock
from biggus.backends.signature import signature_of
from biggus.errors import OpenError

if TYPE_CHECKING:
    from biggus.backends.signature import FileSignature

# Held by path by each source.  A descriptor is closed when the pool and all reads let it go.
descriptors: HandlePool[Descriptor] = HandlePool(lambda _: None, hdf5_lock, guarded=True)


def descriptor_of(path: str, signature: FileSignature) -> Descriptor | None:
    """Return the descriptor of a file; the library need not have the file open.

    Parameters
    ----------
    path : str
        The file; the caller holds it in `descriptors`.
    signature : FileSignature
        The signature of the file when it was settled.

    Returns
    -------
    Descriptor or None
        None if the file has changed since; then no file stays open in the library, which
        would not see the change.
    """
    try:
        found = descriptors.get(path, lambda: Descriptor(path))
        if signature_of(path) == signature == found.signature():
            return found
    except (OSError, OpenError):
        pass
    descriptors.discard(path)
    forget(path)
    return None
