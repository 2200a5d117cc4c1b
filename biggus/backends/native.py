"""Locks of native libraries that are not safe to call from two threads."""

from __future__ import annotations

import os
import threading

hdf5_lock = threading.RLock()
"""Held around every call into libhdf5 and libnetcdf.

h5py and netCDF4 may be linked to one and the same libhdf5, so they share one
lock; netCDF's own library must not be entered twice at once either.
"""


def guard_forks() -> None:
    """Make forks wait until no thread is inside the native libraries.

    A fork while another thread holds `hdf5_lock` would leave it locked in the
    child for ever, and the library half-way through a call.  Call it right
    after importing a library that has a lock of its own (h5py has one, held
    over forks as well): what is registered last is asked first, so the locks
    are always taken in the order in which reading takes them.  Calling it
    several times is harmless, for the lock is re-entrant; this module does so
    itself, for the libraries that have no lock.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=hdf5_lock.acquire,
            after_in_parent=hdf5_lock.release,
            after_in_child=hdf5_lock.release,
        )


guard_forks()
