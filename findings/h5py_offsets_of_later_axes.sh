#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0): if the only unlimited axis of a dataset is not the first, the functions that
# locate chunks in the file return the indices of other chunks, or say that a chunk was never written.
#
# HDF5 1.10 and later can index such chunks by an extensible array (libver="latest"), in which the
# unlimited axis comes first. chunk_iter and get_chunk_info take an index of that order for one of the
# dataset, and get_chunk_info_by_coord finds no offset at most indices. Values that h5py reads itself are
# right. Programs that make references to chunks, or read chunks by their offsets, get fill values or the
# values of other chunks, without an error. With libver="earliest" all is right.
#
# Output seen (the index and the value of each chunk; the indices without an offset):
#     earliest [((0, 0), 0), ((0, 1), 1), ((1, 0), 2), ((1, 1), 3), ((2, 0), 4), ((2, 1), 5)] []
#     latest [((0, 0), 0), ((0, 1), 2), ((0, 2), 4), ((0, 3), 1), ((0, 4), 3), ((0, 5), 5)] [(1, 0), (1, 1), (2, 0), (2, 1)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
import numpy as np

written = np.arange(6, dtype="<i8").reshape(3, 2)
right = {}
for libver in ("earliest", "latest"):
    with h5py.File("a.h5", "w", libver=libver) as file:
        file.create_dataset("a", data=written, chunks=(1, 1), maxshape=(3, None))
    with h5py.File("a.h5") as file:
        dataset = file["a"]
        assert (dataset[:] == written).all()
        chunks = []
        dataset.id.chunk_iter(chunks.append)
        located = []
        for chunk in chunks:
            value = np.fromfile("a.h5", "<i8", 1, offset=chunk.byte_offset)[0]
            located.append((tuple(map(int, chunk.chunk_offset)), int(value)))
        missing = [
            index
            for index in np.ndindex(written.shape)
            if dataset.id.get_chunk_info_by_coord(index).byte_offset is None
        ]
    print(libver, located, missing)
    right[libver] = not missing and dict(located) == dict(np.ndenumerate(written))
assert right == {"earliest": True, "latest": False}, "the behaviour has changed"
PYTHON
