#!/usr/bin/env bash
# netCDF4-python 1.7.5.1.post1 (netCDF-C 4.10.1): the length of an unlimited dimension is looked
# for in every variable that has it, each time that it is asked for.
#
# So the shape of one variable takes time in proportion to the number of all variables, and the
# shapes of all of them take its square. Two files of 1000 small variables, the same but for
# whether their dimension t is unlimited: their shapes take four hundred times as long.
#
# Output seen:
#     1000 shapes, t of fixed length: 0.0029 s
#     1000 shapes, t unlimited:       1.3022 s
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet netCDF4==1.7.5.1.post1 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import time

import netCDF4


def seconds(name, length):
    with netCDF4.Dataset(name, "w") as file:
        file.createDimension("t", length)
        for number in range(1000):
            file.createVariable(f"v{number}", "f4", ("t",))[:] = [1, 2]
    with netCDF4.Dataset(name) as file:
        start = time.process_time()
        shapes = [variable.shape for variable in file.variables.values()]
        spent = time.process_time() - start
    assert shapes == 1000 * [(2,)]
    return spent


fixed, unlimited = seconds("fixed.nc", 2), seconds("unlimited.nc", None)
print(f"1000 shapes, t of fixed length: {fixed:.4f} s")
print(f"1000 shapes, t unlimited:       {unlimited:.4f} s")
assert unlimited > 20 * fixed, "the behaviour has changed"
PYTHON
