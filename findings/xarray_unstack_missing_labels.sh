#!/usr/bin/env bash
# xarray 2026.9.0: unstack writes values whose label is missing (NaN, NaT) over those of the last label,
# without a warning.
#
# pandas gives missing labels the code -1 in a MultiIndex, and unstack takes the codes as positions along
# the new axis. So the observation without a station replaces that of station 20. Over dask arrays, which
# xarray reindexes instead, the observation without a station is left out, and in pandas it has a row of
# its own.
#
# Output seen:
#     numpy {10.0: 1.0, 20.0: 3.0}
#     dask {10.0: 1.0, 20.0: 2.0}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 numpy==2.4.6 pandas==2.3.3 dask==2026.8.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import xarray as xr

observed = xr.DataArray(
    [1.0, 2.0, 3.0],
    {"station": ("obs", [10.0, 20.0, np.nan]), "kind": ("obs", ["t", "t", "t"])},
    ["obs"],
).set_index(obs=["station", "kind"])
found = {}
for name, array in (("numpy", observed), ("dask", observed.chunk())):
    table = array.unstack("obs").sel(kind="t").compute()
    found[name] = dict(zip(table["station"].values.tolist(), table.values.tolist()))
    print(name, found[name])
assert found["numpy"] == {10.0: 1.0, 20.0: 3.0}, "the behaviour has changed"
assert found["dask"] == {10.0: 1.0, 20.0: 2.0}, "the behaviour has changed"
PYTHON
