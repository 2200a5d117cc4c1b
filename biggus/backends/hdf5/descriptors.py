"""The pool of descriptors of HDF5 files that are read without libhdf5, checked on each use.

libhdf5 opens a file to look up the offsets of values.  After that it can close the
file: an open file takes 0.6 MB of its memory, and a descriptor almost nothing.

Everything here is called with `hdf5_lock` held.
"""

from __future__ import annotations

import os

from biggus.backends.descriptor import Descriptor
from biggus.backends.files import HandlePool
from biggus.backends.hdf5.files import forget
from biggus.backends.native import hdf5_lock
from biggus.backends.signature import FileSignature

# Each source holds its path.  A descriptor is closed when the pool and all reads drop it.
descriptors: HandlePool[Descriptor] = HandlePool(lambda _: None, hdf5_lock, guarded=True)


def descriptor_of(path: str, signature: FileSignature) -> Descriptor | None:
    """Return the descriptor of a file, which libhdf5 need not have open.

    Parameters
    ----------
    path : str
        The file; the caller holds it in `descriptors`.
    signature : FileSignature
        The signature of the file when it was settled.

    Returns
    -------
    Descriptor or None
        None if the file has changed since; then all files are closed in libhdf5, which would
        not notice the change.
    """
    try:
        descriptor = descriptors.get(path, lambda: Descriptor(path))
        state = os.stat(path)  # noqa: PTH116 - half the time of Path.stat
        if FileSignature.of(state) == signature and descriptor.is_of(signature):
            return descriptor
    except OSError:
        pass
    descriptors.discard(path)
    forget(path)
    return None
