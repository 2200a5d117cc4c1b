#!/usr/bin/env bash
# zarr-python 3.1.6: structured values with fields of big-endian order come back as other numbers when an
# array of format 3 is opened again, without an error. Format 2, and arrays of such numbers without
# fields, are right.
#
# The fields are written in their own order, and the metadata have no order of fields: they are read
# as little-endian. So other libraries read other numbers, too. zarr-python 3.4.2 writes little-endian
# values.
#
# Output seen:
#     2 [(1, 0.5), (2, 0.25)]
#     3 [(16777216, 0.5), (33554432, 0.25)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet zarr==3.1.6 numcodecs==0.16.5 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import zarr

warnings.simplefilter("ignore")  # structured values have no specification in format 3
written = np.array([(1, 0.5), (2, 0.25)], [("a", ">i4"), ("b", "<f8")])
same = {}
for zarr_format in (2, 3):
    zarr.create_array(f"{zarr_format}.zarr", data=written, zarr_format=zarr_format)
    read = zarr.open_array(f"{zarr_format}.zarr", mode="r")[:]
    print(zarr_format, read.tolist())
    same[zarr_format] = read.tolist() == written.tolist()
assert same == {2: True, 3: False}, "the behaviour has changed"
PYTHON
