#!/usr/bin/env bash
# pandas 3.1.1 (and xarray 2026.9.0 by it): what is nearest among unsigned integers is not the nearest.
#
# The distances of an index of uint8 to what is looked for are taken in uint8, and wrap around
# where the index is the smaller one: 0 is 216 away from 40.  So of 0 and 100 the one that is
# nearest to 40 is 100, without a word, in `Index.get_indexer(method="nearest")` and in
# `xarray.DataArray.sel(x=40, method="nearest")`.  Of signed integers, and of floats, it is 0.
#
# Output seen:
#     int64 {'index': 0, 'sel': 0}
#     uint8 {'index': 100, 'sel': 100}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 xarray==2026.9.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
import xarray as xr

found = {}
for dtype in ("int64", "uint8"):
    values = np.array([0, 100, 250], dtype)
    places = pd.Index(values).get_indexer([40], method="nearest")
    array = xr.DataArray(values, {"x": values}, dims="x")
    found[dtype] = {
        "index": int(values[places[0]]),
        "sel": int(array.sel(x=40, method="nearest")),
    }
    print(dtype, found[dtype])
assert found["int64"] == {"index": 0, "sel": 0}
assert found["uint8"] == {"index": 100, "sel": 100}, "the behaviour has changed"
PYTHON
