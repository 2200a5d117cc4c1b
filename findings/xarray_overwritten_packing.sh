#!/usr/bin/env bash
# xarray 2026.9.0 with netCDF4-python 1.7.4: if to_netcdf(mode="a") replaces a packed variable, the new values are
# scaled when they are read though they were not when they were written, and lose their fractions.
#
# A variable that is in the file already keeps its type and its attributes, scale_factor among them. xarray writes the
# new values by the encoding of the new variable, which has no packing: 280.5 is cut to 280, and read as 2.8.
# Nothing is raised, and there is no warning. to_zarr(mode="a") takes the packing of the store, and is right.
#
# Output seen:
#     written    [280.5, 281.25]
#     netCDF     [2.8, 2.81]
#     Zarr       [280.5, 281.25]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 netCDF4==1.7.4 zarr==3.1.6 numpy==2.4.6 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import xarray as xr

packing = {"tas": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 0.0, "_FillValue": -1}}
first = xr.Dataset({"tas": ("x", [290.0, 291.0])})
second = xr.Dataset({"tas": ("x", [280.5, 281.25])})
print("written   ", second.tas.values.tolist())
first.to_netcdf("a.nc", encoding=packing)
second.to_netcdf("a.nc", mode="a")
first.to_zarr("a.zarr", zarr_format=2, encoding=packing)
second.to_zarr("a.zarr", mode="a", zarr_format=2)
with xr.open_dataset("a.nc") as file:
    netcdf = file.tas.values.round(6)
print("netCDF    ", netcdf.tolist())
zarr = xr.open_zarr("a.zarr").tas.values.round(6)
print("Zarr      ", zarr.tolist())
assert netcdf.tolist() == [2.8, 2.81], "the behaviour has changed"
assert zarr.tolist() == second.tas.values.tolist()
PYTHON
