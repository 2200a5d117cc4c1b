#!/usr/bin/env bash
# zarr 3.1.6 with xarray 2026.9.0: every zero of an array that zarr-python made with its defaults in format 2 is
# missing in xarray, and counts become floats; in format 3 the same lines give zeros.
#
# A Zarr array of format 2 has a fill_value, which is what chunks hold that were never written, and is 0 unless
# something else is asked for.  xarray takes it for a _FillValue in format 2 and for none in format 3, unless
# use_zarr_fill_value_as_mask= says otherwise.  So rain that did not fall, or a count of none, is NaN, and is
# left out of means, though zarr-python reads zeros and no attribute says that any value is missing.
#
# Output seen:
#     format 2: zarr [0, 3, 0, 1] xarray [nan, 3.0, nan, 1.0] mean 2.0
#     format 3: zarr [0, 3, 0, 1] xarray [0, 3, 0, 1] mean 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 zarr==3.1.6 numcodecs==0.16.5 numpy==2.3.5 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import xarray
import zarr

means = {}
for version in (2, 3):
    path = f"rain{version}.zarr"
    group = zarr.create_group(path, zarr_format=version)
    names = {} if version == 2 else {"dimension_names": ["time"]}
    array = group.create_array("rain", shape=(4,), chunks=(2,), dtype="i4", **names)
    array[:] = [0, 3, 0, 1]
    if version == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["time"]
    found = xarray.open_zarr(path, chunks=None, consolidated=False)["rain"]
    means[version] = float(found.mean())
    told = zarr.open_array(f"{path}/rain")[:].tolist(), found.values.tolist()
    print(f"format {version}: zarr {told[0]} xarray {told[1]} mean {means[version]}")
assert means[3] == 1
assert means[2] == 2, "the behaviour has changed"
PYTHON
