#!/usr/bin/env bash
# xarray 2026.9.0 with zarr 3.1.6: times that are appended to a Zarr store, and are finer than the units of
# the times there, are stored weeks away from what they are.
#
# `to_zarr(append_dim="time")` encodes the new times in the units of the store, days for daily times.
# Where they do not fit into whole days it warns, counts them in hours instead, and stores these counts
# beside the old ones.  The attribute still says days: the third of January at six is read as the 24th of
# February, and nothing is raised then or when the store is read.
#
# Output seen:
#     warned: Times can't be serialized faithfully to int64 with requested units 'days since 2000-01-01'.  ...
#     units in the store: days since 2000-01-01 00:00:00
#     appended: ['2000-01-03T06:00', '2000-01-03T18:00']
#     read:     ['2000-02-24T00:00', '2000-03-07T00:00']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 zarr==3.1.6 numcodecs==0.16.5 numpy==2.3.5 pandas==2.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import xarray


def dataset(times):
    return xarray.Dataset({"v": ("time", np.zeros(len(times)))}, {"time": times})


days = np.array(["2000-01-01", "2000-01-02"], "M8[ns]")
hours = np.array(["2000-01-03T06", "2000-01-03T18"], "M8[ns]")
dataset(days).to_zarr("days.zarr", zarr_format=2)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    dataset(hours).to_zarr("days.zarr", append_dim="time")
found = xarray.open_zarr("days.zarr", chunks=None, decode_times=False)["time"]
read = xarray.open_zarr("days.zarr", chunks=None)["time"].values
for each in told:
    print("warned:", str(each.message)[:92], "...")
print("units in the store:", found.attrs["units"])
print("appended:", hours.astype("M8[m]").astype(str).tolist())
print("read:    ", read[2:].astype("M8[m]").astype(str).tolist())
assert (read[:2] == days).all()
assert read[2] == np.datetime64("2000-02-24"), "the behaviour has changed"
PYTHON
