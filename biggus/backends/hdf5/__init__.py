"""HDF5, through h5py: `backend` finds and reads datasets, `files` keeps files open."""

from biggus.backends.hdf5.backend import HDF5Backend

__all__ = ["HDF5Backend"]
