"""Reading strings of variable length some of whose chunks were never written.

If such a dataset has a fill value, libhdf5 puts that into the global heap of the file before it
gives it out, and so it fails in a file that is open for reading alone.  Every string variable
of a NetCDF-4 file has a fill value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.lookup import read_one
from biggus.indexing.grid import Grid, box_shape

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.sources.base import Box


def read_chunk_by_chunk(dataset: Any, box: Box) -> npt.NDArray[Any] | None:
    """Read the chunks that were written, and fill the others.  The caller holds the lock.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    box : tuple of slice
        The box, with one slice per axis of the dataset.

    Returns
    -------
    ndarray of object, or None
        None if all chunks in the box were written, or the values are no strings.
    """
    if dataset.chunks is None or h5py().check_string_dtype(dataset.dtype) is None:
        return None
    values = np.full(box_shape(box), dataset.fillvalue, object)
    unwritten = False
    for part in Grid(dataset.shape, dataset.chunks).parts(box):
        corner = tuple([s.start for s in part.chunk])
        if read_one(dataset, corner) is None:
            unwritten = True
            continue
        values[part.outer] = dataset[
            tuple(
                slice(start + s.start, start + s.stop, s.step)
                for start, s in zip(corner, part.inner, strict=True)
            )
        ]
    return values if unwritten else None
