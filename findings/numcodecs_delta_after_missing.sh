#!/usr/bin/env bash
# numcodecs 0.16.5 with xarray 2026.9.0 and zarr 3.1.6: with the filter Delta a missing value takes with it all values that
# stand behind it in its chunk.
#
# The filter stores each value less the one before it, and sums the differences up when it decodes. It takes numbers of
# floating point as readily as integers. The difference to NaN is NaN, and so is every sum after it. With a fill value of
# 1e20, as climate models use it, the differences have lost the values themselves, and what comes back is zero. Nothing
# is raised, there is no warning, and the store does not hold the values any more. Without missing values, all are right.
#
# Output seen:
#     none missing           [280.0, 281.0, 282.5, 283.0, 284.5]
#     fill value NaN         [280.0, nan, nan, nan, nan]
#     fill value 1e+20       [280.0, nan, 0.0, 0.5, 2.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numcodecs==0.16.5 xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import numcodecs
import numpy as np
import xarray as xr

whole = xr.Dataset({"tas": ("time", [280.0, 281.0, 282.5, 283.0, 284.5])})
gap = whole.where(whole.tas != 281)
found = []
for name, data, fill in (
    ("none missing", whole, np.nan),
    ("fill value NaN", gap, np.nan),
    ("fill value 1e+20", gap, 1e20),
):
    encoding = {"filters": [numcodecs.Delta("f8")], "_FillValue": fill}
    data.to_zarr("a.zarr", mode="w", zarr_format=2, consolidated=False, encoding={"tas": encoding})
    found.append(xr.open_zarr("a.zarr", zarr_format=2, consolidated=False).tas.values)
    print(f"{name:22}", found[-1].tolist())
np.testing.assert_array_equal(found[0], whole.tas)
assert np.isnan(found[1][1:]).all(), "the behaviour has changed"
assert (found[2][2:] != gap.tas[2:]).all(), "the behaviour has changed"
PYTHON
