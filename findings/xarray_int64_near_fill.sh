#!/usr/bin/env bash
# xarray 2025.10.1 with netCDF4-python 1.7.2: 64-bit integers that are only near the
# _FillValue are read as missing.
#
# Integers with a _FillValue become float64 before they are compared with it, and above
# 2**53 several integers are one float64. So identifiers or nanoseconds that have a fill
# value of their own magnitude, such as the netCDF library's default one for 64 bits, are
# NaN, though netCDF4-python masks none of them. Nothing is raised, and there is no warning.
#
# Output seen:
#     netCDF4-python  [4611686018427387904, 4611686018427387905, 4611686018427388000]
#     xarray          [nan, nan, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2025.10.1 netCDF4==1.7.2 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" -W error::RuntimeWarning - <<'PYTHON'
import netCDF4
import numpy as np
import xarray

with netCDF4.Dataset("numbers.nc", "w") as dataset:
    dataset.createDimension("x", 3)
    variable = dataset.createVariable("v", "i8", ("x",), fill_value=np.int64(2**62 + 100))
    variable[:] = 2**62 + np.array([0, 1, 96])
with netCDF4.Dataset("numbers.nc") as dataset:
    right = dataset["v"][:]
with xarray.open_dataset("numbers.nc") as dataset:
    got = dataset["v"].values
print("netCDF4-python ", right.tolist())
print("xarray         ", got.tolist())
assert not np.ma.is_masked(right)
assert np.isnan(got).all(), "the behaviour has changed"
PYTHON
