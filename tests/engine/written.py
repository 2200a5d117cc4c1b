"""Files of several formats with the same values, and how these are overwritten in place."""

import numpy as np
import pytest

SHAPE = (4, 100, 125)
OLD = np.arange(np.prod(SHAPE), dtype="f8").reshape(SHAPE)
NEW = -2 * OLD - 1


def _npy(path):
    np.save(path, OLD)


def _hdf5(path, **how):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=OLD, **how)


FORMATS = {"a.npy": _npy, "contiguous.h5": _hdf5}


def overwrite(path, values=NEW):
    """Write values over those that are there, row by row, as they are stored."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for file in files:
        stored = file.read_bytes()
        with file.open("rb+") as target:
            for row, old, new in zip(values, OLD, NEW, strict=True):
                for order in "<>":
                    for known in (old, new):
                        at = stored.find(known.astype(f"{order}f8").tobytes())
                        if at >= 0:
                            target.seek(at)
                            target.write(row.astype(f"{order}f8").tobytes())
