#!/usr/bin/env bash
# xarray 2026.9.0 with scipy 1.16.3: interpolated to the very points of its own grid, a field loses values
# beside gaps, on one side of them, and most of a field with many gaps.
#
# `interp` is linear by default: a value is the sum of those of the corners of a cell, each with its weight.
# A point of the grid is taken for the last corner of a cell, whose other corners have weight zero; and
# zero times NaN is NaN.  So the sea east of an island is lost and the sea west of it stays.  Along both
# axes of a map every point is lost that has land on any of three corners, 1 - 0.7**3 of all where 30 %
# are land.  A line alone, of one dimension, keeps all values, as `reindex` does.
#
# Output seen:
#     one line              [1.0, 2.0, nan, 4.0, 5.0]
#     interp of it          [1.0, 2.0, nan, 4.0, 5.0]
#     interp of two of them [1.0, 2.0, nan, nan, 5.0]
#     of 2534 points of a map 1712 are lost
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 scipy==1.16.3 numpy==2.3.5 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import xarray

line = xarray.DataArray([1, 2, np.nan, 4, 5], {"x": np.arange(5.0)}, ("x",))
two = xarray.concat([line, line], "y")
print("one line             ", line.values.tolist())
print("interp of it         ", line.interp(x=line.x).values.tolist())
print("interp of two of them", two.interp(x=line.x).values[0].tolist())
land = np.random.default_rng(0).random((60, 60)) < 0.3
axes = {"y": np.arange(60.0), "x": np.arange(60.0)}
field = xarray.DataArray(np.where(land, np.nan, 1.0), axes, ("y", "x"))
again = field.interp(axes)
lost = int((field.notnull() & again.isnull()).sum())
print(f"of {int(field.count())} points of a map {lost} are lost")
assert line.interp(x=line.x).identical(line)
assert two.reindex(x=line.x).identical(two)
assert np.isnan(two.interp(x=line.x)[0, 3]), "the behaviour has changed"
assert two.interp(x=line.x)[0, 1] == 2
assert lost > 1000, "the behaviour has changed"
PYTHON
