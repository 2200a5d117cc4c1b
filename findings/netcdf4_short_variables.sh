#!/usr/bin/env bash
# netCDF4-python 1.7.5.1.post1 (netCDF-C 4.10.1): a variable that is shorter than an unlimited
# dimension which is not its first is read with its values in the wrong places.
#
# c(x, t) has two rows, and t is unlimited. One column of c is written, 1 and 2; another variable
# makes t two long. So c[:, 0] is [1, 2], and c[:, 1], which was never written, is missing:
#     [[1.0, --], [2.0, --]]
# Read at once, the values come one behind the other, and then what is missing:
#     [[1.0, 2.0], [--, --]]
# Read column by column they are where they were put. Nothing is raised, and there is no warning.
#
# Output seen:
#     c[:]      [[1.0, 2.0], [None, None]]
#     c[:, 0]   [1.0, 2.0]
#     c[:, 1]   [None, None]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet netCDF4==1.7.5.1.post1 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import netCDF4

with netCDF4.Dataset("a.nc", "w") as file:
    file.createDimension("x", 2)
    file.createDimension("t", None)
    file.createVariable("c", "f8", ("x", "t"))[:, 0] = [1, 2]
    file.createVariable("t", "f8", ("t",))[:] = [0, 1]
with netCDF4.Dataset("a.nc") as file:
    whole, columns = file["c"][:].tolist(), [file["c"][:, i].tolist() for i in range(2)]
print("c[:]     ", whole)
print("c[:, 0]  ", columns[0])
print("c[:, 1]  ", columns[1])
assert columns == [[1.0, 2.0], [None, None]], "the behaviour has changed"
assert whole == [[1.0, 2.0], [None, None]], "the behaviour has changed"
PYTHON
