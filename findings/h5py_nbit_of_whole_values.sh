#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0): values written with the filters shuffle, nbit and gzip come back with random
# high bytes if all their bits are significant, without an error. The file is right, and so are the values
# with two of the three filters.
#
# nbit has nothing to do for such values. When they are read, it seems to pass on the size of the buffer that gzip
# has made, which is larger than its contents: then shuffle takes high bytes from behind the values.
#
# Output seen (whether the values are those that were written):
#     shuffle, nbit True
#     nbit, gzip True
#     shuffle, gzip True
#     shuffle, nbit, gzip False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
import numpy as np

written = np.arange(1000, 1004, dtype="<u2")
same = {}
for filters in (("shuffle", "nbit"), ("nbit", "gzip"), ("shuffle", "gzip"), ("shuffle", "nbit", "gzip")):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4,))
    for name in filters:
        if name == "shuffle":
            properties.set_shuffle()
        elif name == "nbit":
            properties.set_filter(h5py.h5z.FILTER_NBIT)
        else:
            properties.set_deflate(4)
    with h5py.File("a.h5", "w") as file:
        space = h5py.h5s.create_simple((4,))
        made = h5py.h5d.create(file.id, b"a", h5py.h5t.STD_U16LE, space, properties)
        h5py.Dataset(made)[:] = written
    with h5py.File("a.h5") as file:
        same[filters] = bool((file["a"][:] == written).all())
        print(", ".join(filters), same[filters])
assert list(same.values()) == [True, True, True, False], "the behaviour has changed"
PYTHON
