#!/usr/bin/env bash
# xarray 2025.10.1 with flox 0.10.8 (and xarray 2026.9.0; Python 3.11): quantile drops the scalar coordinates that median keeps.
#
# CMIP files have the height of a variable as a scalar coordinate. Every reduction along time keeps it
# (mean, median, max, first, ...), and quantile alone leaves it out. So the median and the same
# quantile, 0.5, have other coordinates, and in groupby(...).quantile it depends on whether flox is
# installed: with flox the coordinate is kept.
#
# Output seen:
#     median            ['height', 'x']
#     quantile          ['quantile', 'x']
#     groupby, no flox  ['month', 'quantile', 'x']
#     groupby, flox     ['height', 'month', 'quantile', 'x']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2025.10.1 flox==0.10.8 numpy==2.3.4 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
import xarray as xr

tas = xr.DataArray(
    np.arange(24.0).reshape(12, 2),
    dims=("time", "x"),
    coords={"time": pd.date_range("2000-01-01", periods=12, freq="MS"), "x": [0, 1], "height": 2.0},
)
found = {"median": tas.median("time"), "quantile": tas.quantile(0.5, "time")}
for name, use in (("groupby, no flox", False), ("groupby, flox", True)):
    with xr.set_options(use_flox=use):
        found[name] = tas.groupby("time.month").quantile(0.5)
for name, each in found.items():
    print(f"{name:17}", sorted(each.coords))
kept = ["height" in each.coords for each in found.values()]
assert kept == [True, False, False, True], "the behaviour has changed"
np.testing.assert_array_equal(found["median"], found["quantile"])
PYTHON
