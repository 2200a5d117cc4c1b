#!/usr/bin/env bash
# numpy 2.4.6: the dtype and precision of nanquantile along an axis depend on the values. If the first
# row is all NaN, quantiles of float32 values are float32, else float64.
#
# nanquantile with NaN goes row by row, and the result takes the dtype of its first row. The result of an
# all-NaN row has the dtype of the values, other results that of the interpolation with q, which is
# float64 for a list or an array of q. So the same rows in another order give another dtype, and the
# other quantiles are rounded to float32.
#
# Output seen:
#     first row all NaN: float32 [nan, 0.10000000149011612]
#     last row all NaN: float64 [0.1, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np

values = np.array([[np.nan, np.nan], [0, 1]], "f4")
dtypes = []
for name, rows in (("first", values), ("last", values[::-1])):
    result = np.nanquantile(rows, [0.1], axis=1)[0]
    print(f"{name} row all NaN: {result.dtype} {result.tolist()}")
    dtypes.append(result.dtype)
assert dtypes == [np.float32, np.float64], "the behaviour has changed"
PYTHON
