#!/usr/bin/env bash
# xarray 2025.10.1: a truth value that is missing is read as True.
#
# xarray stores truth values as bytes with an attribute dtype = "bool", and makes truth values
# of them when it reads. If such a variable has a _FillValue too, a byte that equals it becomes
# NaN first, and NaN, as a truth value, is True. netCDF4-python masks it. Nothing is
# raised, and there is no warning.
#
# Output seen:
#     netCDF4-python  [0, 1, None]
#     xarray          [False, True, True]
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

with netCDF4.Dataset("flags.nc", "w") as dataset:
    dataset.createDimension("x", 3)
    variable = dataset.createVariable("v", "i1", ("x",), fill_value=np.int8(-1))
    variable.setncattr("dtype", "bool")
    variable[:] = np.ma.MaskedArray([0, 1, 0], mask=[False, False, True])
with netCDF4.Dataset("flags.nc") as dataset:
    right = dataset["v"][:].tolist()
with xarray.open_dataset("flags.nc") as dataset:
    got = dataset["v"].values.tolist()
print("netCDF4-python ", right)
print("xarray         ", got)
assert right == [0, 1, None]
assert got == [False, True, True], "the behaviour has changed"
PYTHON
