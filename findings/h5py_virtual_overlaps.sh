#!/usr/bin/env bash
# h5py 3.16.0 (HDF5 2.0.0): if the sources of a virtual dataset overlap, values that no source has are 0
# instead of the fill value, or are it, depending on how much is read at once.
#
# It happens if the selected lengths of the sources add up to at least the number of values that are read: the
# values that two sources have seem to count twice, and then nothing is filled. h5py reads into zeros; other
# programs may find what was in their memory before.
#
# Output seen:
#     sources side by side, all at once: [10, 10, 11, 11, -1, -1]
#     sources side by side, one by one:  [10, 10, 11, 11, -1, -1]
#     sources that overlap, all at once: [10, 11, 11, 11, 0, 0]
#     sources that overlap, one by one:  [10, 11, 11, 11, -1, -1]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
import numpy as np

SHAPE = (6,)
same = []
for name, places in (
    ("sources side by side", [slice(0, 2), slice(2, 4)]),
    ("sources that overlap", [slice(0, 3), slice(1, 4)]),
):
    with h5py.File("a.h5", "w") as file:
        layout = h5py.VirtualLayout(SHAPE, "i8")
        for number, place in enumerate(places):
            shape = (place.stop - place.start,)
            file[f"source{number}"] = np.full(shape, 10 + number)
            layout[place] = h5py.VirtualSource(".", f"source{number}", shape, "i8")
        file.create_virtual_dataset("all", layout, fillvalue=-1)
    with h5py.File("a.h5") as file:
        at_once = file["all"][:].tolist()
        one_by_one = [int(file["all"][i]) for i in range(*SHAPE)]
    print(f"{name}, all at once: {at_once}")
    print(f"{name}, one by one:  {one_by_one}")
    same.append(at_once == one_by_one)
assert same == [True, False], "the behaviour has changed"
PYTHON
