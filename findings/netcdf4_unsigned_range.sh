#!/usr/bin/env bash
# netCDF4-python 1.7.5.1.post1: a variable that says _Unsigned = "true" and valid_range, and has no
# _FillValue, can be read as long as all its values are valid, and no longer once one is not.
#
# Both attributes are those of the NetCDF Users' Guide: the signed bytes 0, 50, 100, 99 are valid,
# and -56, which is 200, is not, and so is missing. What is given is the first four as they are;
# with the last in place of 99 there is no mask but an error, for the default fill value of signed
# bytes, -127, is to become that of an array of unsigned ones. The files differ in one value.
#
# Output seen:
#     [0, 50, 100, 99]
#     TypeError: Cannot convert fill_value -127 to dtype uint8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet netCDF4==1.7.5.1.post1 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import netCDF4
import numpy as np

seen = []
for values in ([0, 50, 100, 99], [0, 50, 100, -56]):
    with netCDF4.Dataset("a.nc", "w") as file:
        file.createDimension("x", 4)
        variable = file.createVariable("v", "i1", ("x",))
        variable.setncattr("_Unsigned", "true")
        variable.valid_range = np.array([0, 100], "i1")
        variable.set_auto_maskandscale(False)
        variable[:] = np.array(values, "i1")
    with netCDF4.Dataset("a.nc") as file:
        try:
            seen.append(str(file["v"][:].tolist()))
        except TypeError as error:
            seen.append(f"TypeError: {error}")
    print(seen[-1])
assert seen[0] == "[0, 50, 100, 99]", "the behaviour has changed"
assert seen[1].startswith("TypeError: Cannot convert fill_value"), "the behaviour has changed"
PYTHON
