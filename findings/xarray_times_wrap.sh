#!/usr/bin/env bash
# xarray 2025.10.1 (and 2026.9.0) with netCDF4-python 1.7.2: times that do not fit into the integer type of their encoding
# are written as other times.
#
# Many products count seconds since 1970 in 32 bits, which end in January 2038. xarray keeps dtype and
# units of a file that it opened, and writes by them again. Times that were added later, or a projection
# that is longer than the historical run, wrap around: 2040 becomes 1903. Nothing is raised, and there is
# no warning. Units that are too coarse for the times are noticed and changed, with a warning.
#
# Output seen:
#     in memory  ['2037-01-01', '2040-01-01']
#     written    ['2037-01-01', '1903-11-25']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2025.10.1 netCDF4==1.7.2 numpy==2.3.4 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import netCDF4
import numpy as np
import xarray as xr

with netCDF4.Dataset("history.nc", "w") as file:
    file.createDimension("time", None)
    times = file.createVariable("time", "i4", ("time",))
    times.units = "seconds since 1970-01-01"
    times[:] = [(np.datetime64("2037-01-01") - np.datetime64("1970-01-01")) // np.timedelta64(1, "s")]
with xr.open_dataset("history.nc") as history:
    later = xr.Dataset(coords={"time": np.array(["2040-01-01"], "M8[ns]")})
    whole = xr.concat([history.load(), later], "time")
whole.to_netcdf("whole.nc")
with xr.open_dataset("whole.nc") as written:
    found = [each["time"].values.astype("M8[D]").astype(str).tolist() for each in (whole, written)]
print("in memory ", found[0])
print("written   ", found[1])
assert found[0] == ["2037-01-01", "2040-01-01"]
assert found[1] == ["2037-01-01", "1903-11-25"], "the behaviour has changed"
PYTHON
