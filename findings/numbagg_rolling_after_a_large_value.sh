#!/usr/bin/env bash
# numbagg 0.9.6 with xarray 2026.9.0 and dask 2026.8.0: after one large or infinite value all rolling means and sums are wrong,
# with any window, to the end of the axis.
#
# numbagg keeps one running sum along the axis: it adds the value that enters the window and subtracts the value that
# leaves it. What 1e20 has rounded away never comes back, and infinity minus infinity is NaN. xarray's rolling uses
# numbagg if it is installed, for NumPy arrays. Without numbagg, and over dask arrays, each window is summed by itself.
# So a package that no line of the program names decides about the values. One forgotten fill value of 1e20 is enough.
# bottleneck does the same, if xarray is told to use it.
#
# Output seen (rolling means over two of 0, 1, 1e20, 4, 5, 6, 7, 8):
#     numbagg            [nan, 0.5, 5e+19, 5e+19, 2.5, 3.5, 4.5, 5.5]
#     numbagg, infinity  [nan, 0.5, inf, inf, nan, nan, nan, nan]
#     numbagg, dask      [nan, 0.5, 5e+19, 5e+19, 4.5, 5.5, 6.5, 7.5]
#     without numbagg    [nan, 0.5, 5e+19, 5e+19, 4.5, 5.5, 6.5, 7.5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numbagg==0.9.6 numba==0.68.1 xarray==2026.9.0 "dask[array]==2026.8.0" numpy==2.4.6 \
    pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import xarray as xr

line = xr.DataArray([0.0, 1.0, 1e20, 4.0, 5.0, 6.0, 7.0, 8.0], dims="t")
infinite = line.where(line < 1e20, np.inf)
found = {
    "numbagg": line.rolling(t=2).mean(),
    "numbagg, infinity": infinite.rolling(t=2).mean(),
    "numbagg, dask": line.chunk(t=6).rolling(t=2).mean(),
}
with xr.set_options(use_numbagg=False):
    found["without numbagg"] = line.rolling(t=2).mean()
for name, each in found.items():
    print(f"{name:18}", each.values.tolist())
ends = {name: each.values[4:] for name, each in found.items()}
for name in ("numbagg, dask", "without numbagg"):
    np.testing.assert_array_equal(ends[name], [4.5, 5.5, 6.5, 7.5])
assert (ends["numbagg"] != ends["without numbagg"]).all(), "the behaviour has changed"
assert np.isnan(ends["numbagg, infinity"]).all(), "the behaviour has changed"
PYTHON
