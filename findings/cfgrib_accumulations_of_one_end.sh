#!/usr/bin/env bash
# cfgrib 0.9.15.1 with eccodes 2.50.0 and xarray 2026.9.0: of two accumulations that end at the same hour, one is left out,
# and which one depends on the order of the messages.
#
# Forecasts often hold the precipitation since the start of the forecast and that of the last hours: 0-12 and 6-12.
# cfgrib gives a message the step at which its interval ends, and looks for no other sign of the interval. Both messages
# have the same place in the array, and the first message in the file stays. Messages that differ in another key raise
# an error, or become another dataset in open_datasets; here neither happens, and the result says nothing of the interval.
#
# Output seen (the values are 3, 5 and 2 for the intervals 0-6, 0-12 and 6-12):
#     0-6, 0-12, 6-12: steps [6.0, 12.0], values [3.0, 5.0], datasets 1
#     0-6, 6-12, 0-12: steps [6.0, 12.0], values [3.0, 2.0], datasets 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cfgrib==0.9.15.1 eccodes==2.50.0 xarray==2026.9.0 numpy==2.4.6 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import cfgrib
import eccodes
import numpy as np
import xarray as xr

VALUES = {"0-6": 3.0, "0-12": 5.0, "6-12": 2.0}
found = []
for ranges in (("0-6", "0-12", "6-12"), ("0-6", "6-12", "0-12")):
    with open("rain.grib2", "wb") as file:
        for interval in ranges:
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            eccodes.codes_set(message, "productDefinitionTemplateNumber", 8)
            eccodes.codes_set(message, "shortName", "tp")
            eccodes.codes_set(message, "stepType", "accum")
            eccodes.codes_set(message, "stepRange", interval)
            size = eccodes.codes_get_size(message, "values")
            eccodes.codes_set_values(message, np.full(size, VALUES[interval]))
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)
    options = {"indexpath": ""}
    number = len(cfgrib.open_datasets("rain.grib2", backend_kwargs=options))
    with xr.open_dataset("rain.grib2", engine="cfgrib", backend_kwargs=options, decode_timedelta=True) as rain:
        hours = (rain.step.values / np.timedelta64(1, "h")).tolist()
        values = rain.tp.max(["latitude", "longitude"]).values.tolist()
    print(f"{', '.join(ranges)}: steps {hours}, values {values}, datasets {number}")
    found.append((hours, values, number))
assert found == [([6, 12], [3, 5], 1), ([6, 12], [3, 2], 1)], "the behaviour has changed"
PYTHON
