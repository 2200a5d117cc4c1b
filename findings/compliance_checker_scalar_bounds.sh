#!/usr/bin/env bash
# compliance-checker 6.1.0: the bounds of a scalar coordinate are reported, in the form that CF prescribes.
#
# A mean over time has one time: a scalar coordinate with bounds.  CF (section 7.1) gives the bounds one dimension
# more than their coordinate, here one of length 2; netCDF files of iris and others have them so.  The checker wants
# at least two dimensions ("the base case of a one dimensional variable"), whatever the version of CF that it is
# asked for.  The bounds of the same time as an axis of length one pass.
#
# Output seen:
#     scalar cf:1.8 1 report of the bounds
#     scalar cf:1.11 1 report of the bounds
#     axis cf:1.8 0 reports of the bounds
#     axis cf:1.11 0 reports of the bounds
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet compliance-checker==6.1.0 netCDF4==1.7.4 numpy==2.4.6
cd "$folder"
PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/python" - <<'PYTHON'
import json
import subprocess

import netCDF4


def write(path, dims):
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "CF-1.8"
        file.createDimension("bnds", 2)
        for dim in dims:
            file.createDimension(dim, 1)
        time = file.createVariable("time", "f8", dims)
        time.standard_name, time.units, time.calendar = "time", "days since 2000-01-01", "standard"
        time.bounds, time.axis = "time_bnds", "T"
        time[...] = 15.5
        bounds = file.createVariable("time_bnds", "f8", (*dims, "bnds"))
        bounds[...] = [0, 31]
        tas = file.createVariable("tas", "f4", dims)
        tas.standard_name, tas.units, tas.cell_methods = "air_temperature", "K", "time: mean"
        tas.coordinates = "time"
        tas[...] = 280


def reports(path, version):
    command = ["compliance-checker", f"--test=cf:{version}", "-f", "json", "-o", "out.json", path]
    subprocess.run(command, capture_output=True, check=False)
    with open("out.json") as file:
        [found] = json.load(file).values()
    texts = [text for check in found["all_priorities"] for text in check["msgs"]]
    return sum("at least two dimensions" in text for text in texts)


write("scalar.nc", ())
write("axis.nc", ("time",))
seen = {}
for name in ("scalar", "axis"):
    for version in ("1.8", "1.11"):
        number = seen[name, version] = reports(f"{name}.nc", version)
        print(name, f"cf:{version}", number, f"report{'s' * (number != 1)} of the bounds")
assert [seen["axis", version] for version in ("1.8", "1.11")] == [0, 0]
assert all(seen["scalar", version] for version in ("1.8", "1.11")), "the behaviour has changed"
PYTHON
