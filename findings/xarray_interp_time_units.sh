#!/usr/bin/env bash
# xarray 2026.9.0 with pandas 3.1.1 and scipy 1.17.1: interp at a time gives the value of another time, or NaN, if the
# time is counted in finer units than the times of the array.
#
# interp subtracts the first time from both and compares the integers. It does not convert them to one unit: six
# hours in nanoseconds are taken for 6000 hours in microseconds. pandas 3 makes times in microseconds, and interp
# reads a text as nanoseconds, so that even a text as in xarray's documentation is enough. sel, reindex and
# arithmetic convert the units, and so does interp if the units of the time are the coarser ones.
#
# The values are the days since the first of January 2000, so that 0.25 and 366 are right.
#
# Output seen:
#     times in ns: 2000-01-01T06 -> 0.25, 2001-01-01 -> 366.0
#     times in us: 2000-01-01T06 -> 250.0, 2001-01-01 -> nan
#     interp_like, ns by us: [0.0, 366.0, 731.0]
#     interp_like, us by ns: [0.0, nan, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
import xarray as xr

years = pd.date_range("2000-01-01", periods=3, freq="YS")
assert years.unit == "us"
days = {unit: xr.DataArray([0.0, 366.0, 731.0], {"time": years.as_unit(unit)}) for unit in ("ns", "us")}
found = {}
for unit, each in days.items():
    found[unit] = [each.interp(time=text).item() for text in ("2000-01-01T06", "2001-01-01")]
    print(f"times in {unit}: 2000-01-01T06 -> {found[unit][0]}, 2001-01-01 -> {found[unit][1]}")
    assert each.sel(time="2001-01-01").item() == 366
assert (days["us"].time == days["ns"].time).all()
for one, other in (("ns", "us"), ("us", "ns")):
    found[one, other] = days[one].interp_like(days[other]).values.tolist()
    print(f"interp_like, {one} by {other}: {found[one, other]}")
assert found["ns"] == [0.25, 366] and found["ns", "us"] == [0, 366, 731]
np.testing.assert_array_equal(found["us"], [250, np.nan], "the behaviour has changed")
np.testing.assert_array_equal(found["us", "ns"], [0, np.nan, np.nan], "the behaviour has changed")
PYTHON
