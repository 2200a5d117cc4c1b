#!/usr/bin/env bash
# zarr 3.1.6 with netCDF4 1.7.4: what is copied from Zarr to NetCDF in native order warns of its order.
#
# The dtype of a Zarr array, and of what is read of it, names the order of its bytes ("<") even
# where that is the machine's own, and NumPy would say "=".  NumPy holds the two equal, and its
# dtypes as keys of dictionaries too; the netCDF library compares the letter.  A variable that is
# made with such a dtype is of native order, and to write to it warns that dtype and endian do not
# match.  Code that keeps things by dtype may give the one for the other, so that it warns of
# arrays that never were in Zarr.  On a big-endian machine this says nothing.
#
# Output seen:
#     zarr {'equal': True, 'order': '<', 'variable': 'native', 'warned': True}
#     numpy {'equal': True, 'order': '=', 'variable': 'native', 'warned': False}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet zarr==3.1.6 netCDF4==1.7.4 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import netCDF4
import numpy as np
import zarr

array = zarr.create_array("a.zarr", shape=(4,), chunks=(2,), dtype="f4")
array[:] = 1
found = {}
for name, values in (("zarr", array[:]), ("numpy", np.ones(4, "f4"))):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with netCDF4.Dataset(f"{name}.nc", "w") as dataset:
            dataset.createDimension("x", 4)
            variable = dataset.createVariable("v", values.dtype, ("x",))
            variable[:] = values
            found[name] = {
                "equal": values.dtype == np.dtype("f4"),
                "order": values.dtype.byteorder,
                "variable": variable.endian(),
                "warned": any("endian" in str(one.message) for one in caught),
            }
    print(name, found[name])
assert found["numpy"] == {"equal": True, "order": "=", "variable": "native", "warned": False}
assert found["zarr"] == {"equal": True, "order": "<", "variable": "native", "warned": True}, (
    "the behaviour has changed"
)
PYTHON
