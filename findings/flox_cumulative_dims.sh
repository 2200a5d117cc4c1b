#!/usr/bin/env bash
# xarray 2026.9.0: with flox installed, cumulative sums of groups have their dimensions in another order.
#
# `groupby(...).cumsum` keeps the order of the dimensions without flox; with it the dimension of the groups
# comes last.  Only the presence of a package decides that, which no line of the program names; what
# goes on by position, as `.values[0]`, NumPy and files do, takes latitudes for times.  Means and sums of
# groups have the same order with and without.
#
# Output seen:
#     with flox 0.11.2: ('y', 'x', 'time') (2, 3, 4)
#     use_flox=False:   ('time', 'y', 'x') (4, 2, 3)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 flox==0.11.2 numpy==2.3.5 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
import xarray

time = pd.date_range("2000-12-30", periods=4)
da = xarray.DataArray(np.arange(24.0).reshape(4, 2, 3), {"time": time}, ("time", "y", "x"))
found = da.groupby("time.year").cumsum("time")
with xarray.set_options(use_flox=False):
    plain = da.groupby("time.year").cumsum("time")
print("with flox 0.11.2:", found.dims, found.shape)
print("use_flox=False:  ", plain.dims, plain.shape)
assert (found.transpose(*plain.dims).values == plain.values).all()
assert plain.dims == da.dims
assert found.dims == ("y", "x", "time"), "the behaviour has changed"
PYTHON
