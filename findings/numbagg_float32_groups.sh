#!/usr/bin/env bash
# numbagg 0.9.6 with flox 0.11.2 and xarray 2026.9.0: if numbagg is installed beside flox, means of large groups of float32
# values are wrong in the third digit.
#
# flox gives groups to numbagg if it is there, and numbagg adds float32 values one by one in float32: at 2**24 times their
# magnitude the sum stands still, and long before that it loses digits. flox alone sums in float64, and xarray alone
# pairwise. So it depends on a package that no line of the program names. The mean of all values, without groups,
# is right with numbagg as well.
#
# Output seen (four million temperatures between 280 and 290 in two groups; the means are 285.00):
#     flox, no numbagg    [285.0, 285.0]
#     flox and numbagg    [286.0, 286.0]
#     no groups, numbagg  285.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flox==0.11.2 xarray==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$folder"
cat > means.py <<'PYTHON'
import sys

import numpy as np
import xarray as xr

LENGTH = 4_000_000
values = (280 + 10 * np.random.default_rng(0).random(LENGTH)).astype("float32")
tas = xr.DataArray(values, dims="time", coords={"half": ("time", np.arange(LENGTH) * 2 // LENGTH)})
found = tas.groupby("half").mean().values.astype(float)
print(f"{sys.argv[1]:19}", found.round(2).tolist())
right = [half.mean() for half in values.astype(float).reshape(2, -1)]
near = np.allclose(found, right, atol=0.01)
if sys.argv[1] == "flox, no numbagg":
    assert near
else:
    print("no groups, numbagg ", round(tas.mean().item(), 2))
    assert abs(tas.mean().item() - np.mean(right)) < 0.01
    assert not near, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" means.py "flox, no numbagg"
"$folder/venv/bin/pip" install --quiet numbagg==0.9.6 numba==0.68.1
"$folder/venv/bin/python" means.py "flox and numbagg"
