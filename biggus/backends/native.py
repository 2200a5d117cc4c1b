"""Locks of native libraries that are not safe to call from two threads."""

from __future__ import annotations

import threading

hdf5_lock = threading.RLock()
"""Held around every call into libhdf5 and libnetcdf.

h5py and netCDF4 may be linked to one and the same libhdf5, so they share one
lock; netCDF's own library must not be entered twice at once either.
"""
